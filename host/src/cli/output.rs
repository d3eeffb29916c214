//! What a command prints: tables for people, the API's JSON for programs, one line for an error.
//!
//! Text that came from elsewhere (a driver, a label, another host's table) never reaches the terminal with control characters in it.

use std::fmt::Write as _;
use std::io::{self, Write};

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::de::DeserializeOwned;

use super::client::{Client, Reply};
use super::exit::{Failure, OK};
use words::Error;

/// For whom to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables for people
    #[default]
    Table,
    /// The API's JSON, one document a line; `{}` where it answers nothing
    Json,
}

/// One run of the command line: whom it asks and where it prints.
pub struct Session<'a> {
    /// The daemon.
    pub client: Client,
    /// For whom to print.
    pub format: Format,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    code: u8,
}

impl<'a> Session<'a> {
    /// A session that prints to `out`, and errors to `err`.
    pub fn new(client: Client, format: Format, out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        Self { client, format, out, err, code: OK }
    }

    /// The exit code: the first failure's.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Prints an answer: as it came, or what `people` makes of it.
    pub fn answer<T: DeserializeOwned>(
        &mut self,
        reply: &Reply,
        people: impl FnOnce(T) -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.json(&reply.text()),
            Format::Table => self.print(&people(reply.read()?)),
        }
    }

    /// Prints an answer that has nothing to read: `{}`, or a line for people.
    pub fn done(&mut self, reply: &Reply, people: &str) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.json(&reply.text()),
            Format::Table => self.print(people),
        }
    }

    /// Prints JSON text.
    pub fn json(&mut self, text: &str) -> Result<(), Failure> {
        self.print(&escape(text))
    }

    /// Prints text and a line end, unless it ends with one. A reader that went away is no failure.
    pub fn print(&mut self, text: &str) -> Result<(), Failure> {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        match write!(self.out, "{text}{end}").and_then(|()| self.out.flush()) {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::internal(format!("can't write to standard output: {e}")).into())
            }
            _ => Ok(()),
        }
    }

    /// Tells people something beside the answer.
    pub fn note(&mut self, text: &str) {
        if self.format == Format::Table {
            // There is nowhere left to say that standard error is closed.
            let _ = writeln!(self.err, "pontoon: {}", clean(text));
        }
    }

    /// The same with lines of its own, e.g. a table.
    pub fn tell(&mut self, text: &str) {
        if self.format == Format::Table {
            let _ = write!(self.err, "{text}");
        }
    }

    /// Prints a failure and keeps its code, if it is the first.
    pub fn fail(&mut self, failure: &Failure) {
        let _ = writeln!(self.err, "{}", complaint(&failure.error, self.format));
        if self.code == OK {
            self.code = failure.code;
        }
    }
}

/// An error as one line.
pub fn complaint(error: &Error, format: Format) -> String {
    match (format, serde_json::to_string(error)) {
        (Format::Json, Ok(text)) => escape(&text),
        _ => format!("pontoon: {}", clean(&error.message)),
    }
}

/// A table without borders, two spaces between the columns.
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows = rows.into_iter().map(|row| row.map(|cell| clean(&cell)));
    render(std::iter::once(header.map(str::to_owned)).chain(rows))
}

/// Names and values below each other. A value may have lines.
pub fn listing(rows: impl IntoIterator<Item = (&'static str, String)>) -> String {
    render(rows.into_iter().map(|(name, value)| {
        let lines: Vec<_> = value.lines().map(clean).collect();
        [name.to_owned(), lines.join("\n")]
    }))
}

fn render<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().fold(String::new(), |mut text, line| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", line.trim_end());
        text
    })
}

/// Text on one line, with white space as spaces and without characters that a terminal obeys.
pub fn clean(text: &str) -> String {
    let safe = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if obeyed(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(safe).collect()
}

/// JSON text, with the characters that a terminal obeys as escapes. Outside of strings JSON has none.
fn escape(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut text, c| {
        match obeyed(c) && c != '\n' {
            true => drop(write!(text, "\\u{:04x}", u32::from(c))),
            false => text.push(c),
        }
        text
    })
}

/// Control characters, and those that turn the direction of what follows.
fn obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_clean() {
        let rows = [["a".into(), "x\u{1b}[2Jy".into()], ["longer".into(), "1\n2".into()]];
        assert_eq!(table(["NAME", "B"], rows), "NAME    B\na       x\u{fffd}[2Jy\nlonger  1 2\n");
        assert_eq!(table(["NAME"], []), "NAME\n");
        assert_eq!(listing([("A", "1\n2".into()), ("BC", "\u{9b}3".into())]), "A   1\n    2\nBC  \u{fffd}3\n");
    }

    #[test]
    fn json_stays_json() {
        let text = serde_json::to_string("a\u{7f}\u{9b}\u{202e}\u{1b}\n").unwrap();
        let escaped = escape(&text);
        assert!(!escaped.chars().any(obeyed), "{escaped}");
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), "a\u{7f}\u{9b}\u{202e}\u{1b}\n");
    }

    struct Closed(io::ErrorKind);

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        for (kind, fine) in [(io::ErrorKind::BrokenPipe, true), (io::ErrorKind::StorageFull, false)] {
            let (mut out, mut err) = (Closed(kind), Closed(kind));
            let mut session = Session::new(Client::new("/".into()), Format::Table, &mut out, &mut err);
            assert_eq!(session.print("a").is_ok(), fine, "{kind:?}");
            session.fail(&Failure::usage("a"));
            assert_eq!(session.code(), 2);
        }
    }

    #[test]
    fn an_error_is_one_line() {
        let error = Error::not_found("no\nnetwork \u{1b}x");
        assert_eq!(complaint(&error, Format::Table), "pontoon: no network \u{fffd}x");
        let json = complaint(&error, Format::Json);
        assert_eq!(serde_json::from_str::<Error>(&json).unwrap(), error);
        assert!(!json.contains('\n'));
    }
}

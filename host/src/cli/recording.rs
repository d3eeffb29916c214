//! Recorded calls: how they look, and as files.

use std::path::{Path, PathBuf};

use super::output::{clean, table};
use super::values::short;
use crate::serve::folder::read_beyond;
use operation::recording::{End, HostAnswer, RecordedHostCall, Recording, inner};
use words::file::write_whole;
use words::{Error, Result};

/// Bytes of a recording's file.
const FILE: usize = 64 << 20;

/// Characters of a value that a line shows.
const SHOWN: usize = 120;

/// A call for people: a line, and below it a table of what the driver asked of the host.
pub fn show(recording: &Recording) -> String {
    let of = |what: &str, id: &Option<words::Id>| {
        id.as_ref().map(|id| format!(" {what} {}", short(id.as_str()))).unwrap_or_default()
    };
    let Recording { number, function, network, endpoint, micros, .. } = recording;
    let place = format!("{}{}", of("network", network), of("endpoint", endpoint));
    let undone = recording.undone.as_ref().map(|why| format!(", undone: {}", clean(&why.message))).unwrap_or_default();
    let first = format!("#{number} {function}{place}: {}{undone} ({micros} µs)\n", end(&recording.end));
    first + &host_calls(&recording.host_calls)
}

/// What was asked of the host, indented.
pub fn host_calls(calls: &[RecordedHostCall]) -> String {
    let rows = calls.iter().map(|call| {
        let arguments = clip(&inner(&call.ask));
        [format!("    {}", call.ask.call().name()), call.micros.to_string(), answer(&call.answer), arguments]
    });
    match calls.is_empty() {
        true => String::new(),
        false => table(["    HOST CALL", "MICROSECONDS", "ANSWER", "ARGUMENTS"], rows),
    }
}

/// An end on one line.
pub fn end(end: &End) -> String {
    match end {
        End::Returned(value) => match inner(value).as_str() {
            "null" => "ok".to_owned(),
            value => format!("ok {}", clip(value)),
        },
        End::Failed(error) => format!("error: {}", clean(&error.to_string())),
        End::Trapped(trap) => clean(&trap.message),
    }
}

fn answer(answer: &HostAnswer) -> String {
    match answer {
        HostAnswer::Ok(value) => match inner(value).as_str() {
            "null" => "ok".to_owned(),
            value => clip(value),
        },
        HostAnswer::Error(error) => format!("error: {error}"),
        HostAnswer::Trap(trap) => format!("trap: {trap}"),
    }
}

fn clip(text: &str) -> String {
    let text = clean(text);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Writes a recording into a folder, as a file of its own.
pub fn write(folder: &Path, recording: &Recording) -> Result<PathBuf> {
    let path = folder.join(format!("{}-{:04}-{}.json", recording.driver, recording.number, recording.function));
    let text = serde_json::to_vec_pretty(recording).map_err(|e| Error::internal(e.to_string()))?;
    write_whole(&path, &text)?;
    Ok(path)
}

/// Reads a recording's file.
pub fn read(file: &Path) -> Result<Recording> {
    let text = read_beyond(file, FILE)?;
    if text.len() > FILE {
        return Err(Error::invalid(format!("{} is larger than {FILE} bytes", file.display())));
    }
    serde_json::from_slice(&text).map_err(|e| {
        Error::invalid(format!("{} is no recording that `pontoon driver trace` wrote: {e}", file.display()))
    })
}

//! The log's lines, each of a bounded length, whatever stands in it: a driver chooses how much it leaves behind, and what an error lists.

use std::io::{self, Write};

/// Bytes of a line. The longest that anybody needs whole is a trap's, with a backtrace of 4 KiB.
const LINE: usize = 8 << 10;

/// A writer to which each line is written whole, as `tracing_subscriber::fmt` does it.
pub struct Bounded<W>(pub W);

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match line.len() {
            0..=LINE => self.0.write_all(line)?,
            length => {
                let kept = &line[..start_of_character(line, LINE)];
                let rest = format!(" … and {} bytes more\n", length - kept.len());
                self.0.write_all(&[kept, rest.as_bytes()].concat())?;
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The last place up to `at` at which a character of UTF-8 begins.
fn start_of_character(text: &[u8], at: usize) -> usize {
    (0..=at).rev().find(|at| text[*at] & 0xc0 != 0x80).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded() {
        let written = |line: &str| {
            let mut bounded = Bounded(Vec::new());
            bounded.write_all(line.as_bytes()).unwrap();
            String::from_utf8(bounded.0).unwrap()
        };
        assert_eq!(written("short\n"), "short\n");
        let nine_thousand = format!("removed swept={:?}\n", vec!["nftables rule 1 of pontoon"; 9_000]);
        let line = written(&nine_thousand);
        assert!(line.len() < LINE + 64 && line.ends_with(" bytes more\n") && line.lines().count() == 1, "{line}");
        assert!(written(&"ä".repeat(LINE)).len() < LINE + 64);
    }
}

//! How far a download is, in one line of a terminal that is written again and again. Elsewhere nothing.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// How often it is written.
const EVERY: Duration = Duration::from_millis(100);

/// The line, which goes with this value.
pub struct Progress {
    of: usize,
    last: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    /// One of so many bytes. `wanted`: if standard error is a terminal.
    pub fn new(of: usize, wanted: bool) -> Self {
        Self { of, last: None, is_shown: wanted && stderr().is_terminal() }
    }

    /// So many bytes are there.
    pub fn at(&mut self, bytes: usize) {
        if !self.is_shown || self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        // A terminal that is gone shows nothing.
        let _ = write!(stderr(), "\r\x1b[K{}", line(bytes, self.of));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.last.is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

/// A bar of 20 places, and megabytes.
fn line(bytes: usize, of: usize) -> String {
    let done = (bytes * 20).checked_div(of).unwrap_or(20).min(20);
    let megabytes = |bytes: usize| format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000);
    format!("[{}{}] {} of {} MB", "=".repeat(done), " ".repeat(20 - done), megabytes(bytes), megabytes(of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(line(0, 18_300_000), "[                    ] 0.0 of 18.3 MB");
        assert_eq!(line(9_150_000, 18_300_000), "[==========          ] 9.1 of 18.3 MB");
        assert_eq!(line(5, 5), "[====================] 0.0 of 0.0 MB");
        assert_eq!(line(0, 0), "[====================] 0.0 of 0.0 MB");
    }
}

//! What everything else is said with: checked text, errors with a kind, limits.
//!
//! - [`Name`], [`Id`], [`LinkName`], [`MacAddress`]: checked once, where they come in
//! - [`Error`]: a [`Kind`], a message, an errno
//! - [`limit`]: how much a driver's call, and everything that outlives it, may have
//! - [`foreign`]: text that came from outside
//! - [`file`]: TOML, digests, files that are there whole or not at all

mod error;
pub mod file;
pub mod foreign;
pub mod limit;
mod link;
mod text;

use std::time::{SystemTime, UNIX_EPOCH};

pub use error::{Error, Kind, Result, Specific};
pub use link::{LinkName, MacAddress};
pub use text::{Id, Name};

/// Seconds since 1970-01-01T00:00:00Z, by this host's clock: for whatever is compared by age.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Seconds since 1970 as a date and time, UTC.
pub fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a civil date in a calendar whose years begin in March: Howard Hinnant, chrono-compatible low-level date algorithms.
    let day = days + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let date = of_year - (153 * march + 2) / 5 + 1;
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_795_474_797, "2026-11-23T22:59:57Z"),
        ];
        for (seconds, text) in table {
            assert_eq!(utc(seconds), text);
        }
    }
}

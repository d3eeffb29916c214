//! Values of the command line that more than one command takes, and how some look in a table.

use std::collections::BTreeMap;
use std::fmt::Display;

use words::Error;

/// Reads KEY=VALUE. The value may be empty, the key may not.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("it is not KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Pairs by key; a key that is given twice is a mistake.
pub fn unique(pairs: Vec<(String, String)>) -> Result<BTreeMap<String, String>, Error> {
    let mut map = BTreeMap::new();
    for (key, value) in pairs {
        if map.insert(key.clone(), value).is_some() {
            return Err(Error::invalid(format!("{key:?} is given more than once")));
        }
    }
    Ok(map)
}

/// A namespace as the daemon understands it: a path from here is made absolute, a name stays a name.
pub fn namespace(text: &str) -> Result<String, Error> {
    if !text.contains('/') {
        return Ok(text.to_owned());
    }
    let path = std::path::absolute(text).map_err(|e| Error::invalid(format!("{text:?} is no path: {e}")))?;
    let path = path.into_os_string().into_string();
    path.map_err(|_| Error::invalid(format!("the path to {text:?} from here is not UTF-8")))
}

/// What is there, with commas.
pub fn list<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    texts.join(", ")
}

/// KEY=VALUE, one a line.
pub fn lines(map: &BTreeMap<String, String>) -> String {
    let lines: Vec<_> = map.iter().map(|(key, value)| format!("{key}={}", value.replace('\n', " "))).collect();
    lines.join("\n")
}

/// The first twelve characters of an id or digest, as Docker shows them.
pub fn short(id: &str) -> String {
    id.chars().take(12).collect()
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
    fn pairs() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(pair("a").is_err() && pair("=a").is_err());
        let twice = vec![("a".to_owned(), String::new()), ("a".to_owned(), String::new())];
        assert!(unique(twice).unwrap_err().message.contains("\"a\" is given more than once"));
    }

    #[test]
    fn a_namespace_is_a_name_or_an_absolute_path() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(namespace("red").unwrap(), "red");
        assert_eq!(namespace("/run/netns/red").unwrap(), "/run/netns/red");
        assert_eq!(namespace("./red").unwrap(), here.join("red").to_str().unwrap());
        assert_eq!(namespace("a/red").unwrap(), here.join("a/red").to_str().unwrap());
    }

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

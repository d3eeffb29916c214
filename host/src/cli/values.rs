//! Values of the command line that more than one command takes, and how some look in a table.

use std::collections::BTreeMap;
use std::fmt::Display;

use words::Error;

pub use words::utc;

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
}

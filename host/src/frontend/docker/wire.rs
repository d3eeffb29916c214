//! JSON as dockerd writes it: keys in any case, unknown keys, `null` for what is missing.
//!
//! Go's encoding/json, which wrote the protocol's reference driver, reads keys without regard to case and takes `null` for a value's
//! zero. [`Loose`] gives the same to a type. What users name themselves (option keys, labels) never passes through it.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::{Map, Value};

use words::{Error, Id, Result};

/// A type whose fields may come in any case, and as `null`: its own names are lower case, and each has a default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loose<T>(pub T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let given = Map::deserialize(deserializer)?;
        let known = given.into_iter().filter(|(_, value)| !value.is_null());
        let fields: Map<String, Value> = known.map(|(key, value)| (key.to_lowercase(), value)).collect();
        T::deserialize(Value::Object(fields)).map(Self).map_err(D::Error::custom)
    }
}

/// Reads a request's body. `null` is an object without fields, as in Go.
pub fn read<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T> {
    let read = serde_json::from_slice::<Option<Loose<T>>>(body);
    read.map(|given| given.unwrap_or_default().0).map_err(|e| Error::invalid(format!("the request can't be read: {e}")))
}

/// Text that may be empty for "none".
pub fn maybe<T: FromStr<Err: fmt::Display>>(what: &str, text: &str) -> Result<Option<T>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|e| Error::invalid(format!("{what} {text:?} can't be read: {e}")))
}

/// An id.
pub fn id(what: &str, text: &str) -> Result<Id> {
    Id::new(text).map_err(|e| e.context(what))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Inner {
        number: u16,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Outer {
        networkid: String,
        list: Vec<Loose<Inner>>,
        options: BTreeMap<String, Value>,
    }

    #[test]
    fn keys_come_in_any_case_but_names_of_users_stay() {
        let body =
            br#"{"NetworkID":"n","LIST":[{"NUMBER":1},{"number":2,"other":{}}],"oPTIONS":{"Key":{"Sub":1}},"New":[[]]}
"#;
        let read: Outer = read(body).unwrap();
        assert_eq!(read.networkid, "n");
        assert_eq!(read.list, [Loose(Inner { number: 1 }), Loose(Inner { number: 2 })]);
        assert_eq!(read.options, [("Key".to_owned(), serde_json::json!({"Sub": 1}))].into());
    }

    #[test]
    fn what_is_null_or_missing_is_empty() {
        for body in ["{}", "null", r#"{"List":null,"NETWORKID":null,"options":null}"#, r#"{"list":[{"Number":null}]}"#]
        {
            let read: Outer = read(body.as_bytes()).unwrap();
            assert_eq!((read.networkid.as_str(), read.options.len()), ("", 0), "{body}");
            assert!(read.list.iter().all(|Loose(inner)| inner.number == 0), "{body}");
        }
    }

    #[test]
    fn wrong_types_and_broken_texts_are_refused() {
        let deep = format!(r#"{{"options":{}"#, r#"{"a":"#.repeat(200));
        for body in
            ["[]", "1", "{", r#"{"list":{}}"#, r#"{"list":[{"number":65536}]}"#, r#"{"list":[null]}"#, "{} {}", &deep]
        {
            assert!(read::<Outer>(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn depth_has_a_limit() {
        let nested = |depth: usize| format!(r#"{{"x":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
        read::<Outer>(nested(100).as_bytes()).unwrap();
        let error = read::<Outer>(nested(100_000).as_bytes()).unwrap_err();
        assert!(error.message.contains("recursion limit"), "{error}");
    }
}

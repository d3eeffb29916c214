//! Names and ids: checked once, where they come in.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Error;

/// A name that people give: 1 to 64 letters, digits, `_`, `.` or `-`, the first a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
pub struct Name(String);

/// An id that an engine gives: opaque text, 1 to 128 printable ASCII characters without white space and `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct Id(String);

impl Name {
    /// Checks a name.
    pub fn new(text: &str) -> Result<Self, Error> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        let fits = (1..=64).contains(&text.len()) && text.as_bytes()[0].is_ascii_alphanumeric();
        if fits && text.bytes().all(word) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::invalid(format!(
            "{:?} is no name: 1 to 64 letters, digits, '_', '.' or '-', the first a letter or digit",
            clip(text)
        )))
    }
}

impl Id {
    /// Checks an id.
    pub fn new(text: &str) -> Result<Self, Error> {
        if (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b'/') {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::invalid(format!(
            "{:?} is no id: 1 to 128 printable ASCII characters without space and '/'",
            clip(text)
        )))
    }

    /// A new id: 64 hexadecimal digits, as Docker's are.
    pub fn random() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
            .map_err(|e| Error::internal(format!("can't get random bytes: {e}")))?;
        Ok(Self(bytes.iter().map(|b| format!("{b:02x}")).collect()))
    }
}

/// The first characters of foreign text, for a message.
fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

macro_rules! text {
    ($type:ty) => {
        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $type {
            type Error = Error;
            fn try_from(text: String) -> Result<Self, Error> {
                Self::new(&text)
            }
        }
        impl std::str::FromStr for $type {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                Self::new(text)
            }
        }
        impl From<$type> for String {
            fn from(text: $type) -> Self {
                text.0
            }
        }
    };
}
text!(Name);
text!(Id);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_are_checked() {
        for good in ["a", "A9", "pontoon-bridge", "a_b.c-d", &"x".repeat(64)] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", ".", "..", "a/b", "a b", "ä", "a\0", &"x".repeat(65)] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a/b", "a b", "\u{7f}", &"x".repeat(129)] {
            assert!(Id::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Id::new("dummy-network").unwrap().as_str(), "dummy-network");
        assert_eq!(Id::random().unwrap().as_str().len(), 64);
    }
}

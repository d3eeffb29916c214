//! What names an interface: its name and its MAC address.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Error;

/// An interface name that the kernel takes: 1 to 15 bytes of printable ASCII without `/`, `:`, `%` and white space, not `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkName(String);

/// A MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl LinkName {
    /// Checks a name by the kernel's rules (`dev_valid_name`), and that it is printable ASCII.
    pub fn new(name: &str) -> Result<Self, Error> {
        let fits = (1..=15).contains(&name.len()) && name != "." && name != "..";
        if fits && name.bytes().all(|b| b.is_ascii_graphic() && !b"/:%".contains(&b)) {
            return Ok(Self(name.to_owned()));
        }
        Err(Error::invalid(format!(
            "{name:?} is no interface name: 1 to 15 printable ASCII characters without space, '/', ':' and '%'"
        )))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LinkName {
    type Error = Error;
    fn try_from(name: String) -> Result<Self, Error> {
        Self::new(&name)
    }
}

impl From<LinkName> for String {
    fn from(name: LinkName) -> Self {
        name.0
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl MacAddress {
    /// Refuses what can't be one interface's.
    pub fn check(self) -> Result<Self, Error> {
        if self.0 == [0; 6] || self.0[0] & 1 == 1 {
            return Err(Error::invalid(format!(
                "{self} can't be an interface's MAC address: it is a multicast or all-zero address; choose one that begins with 02"
            )));
        }
        Ok(self)
    }
}

impl std::str::FromStr for MacAddress {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let bytes: Option<Vec<u8>> =
            text.split(':').map(|p| (p.len() == 2).then(|| u8::from_str_radix(p, 16).ok()).flatten()).collect();
        bytes
            .and_then(|b| b.try_into().ok())
            .map(Self)
            .ok_or_else(|| Error::invalid(format!("{text:?} is no MAC address: six bytes as in 02:42:0a:05:00:02")))
    }
}

impl TryFrom<String> for MacAddress {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<MacAddress> for String {
    fn from(mac: MacAddress) -> Self {
        mac.to_string()
    }
}

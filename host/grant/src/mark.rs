//! Bits of packets' marks, as a grant says them.

use std::fmt;

use serde::{Deserialize, Serialize};

use words::Error;

/// Bits of the mark that the kernel keeps with a packet while it passes (fwmark), such as `0x00ff0000`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MarkBits(pub u32);

impl MarkBits {
    /// No bits.
    pub fn is_none(&self) -> bool {
        self.0 == 0
    }

    /// Whether it has all of the other ones.
    pub fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }
}

impl TryFrom<String> for MarkBits {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        let digits = text.strip_prefix("0x").filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let bits = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let shown: String = text.chars().take(80).collect();
        bits.map(Self).ok_or_else(|| Error::invalid(format!("{shown:?} is no mask of 32 bits: write it as 0x00ff0000")))
    }
}

impl From<MarkBits> for String {
    fn from(bits: MarkBits) -> Self {
        bits.to_string()
    }
}

impl fmt::Display for MarkBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

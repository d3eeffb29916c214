//! Netlink attributes (`struct nlattr`): reading those that are wanted and leaving the rest, and writing where netlink-packet-route has no
//! words. Answers are read by it everywhere: one strange attribute of a foreign link must not spoil a whole list.

use crate::Error;
use crate::transport::socket::malformed;

const NLA_F_NESTED: u16 = 0x8000;
const NLA_TYPE_MASK: u16 = 0x3fff;
const HEADER: usize = 4;

/// The attributes in a message's body after its fixed header, or in a nested attribute: type and value.
pub(crate) fn attributes(bytes: &[u8]) -> Attributes<'_> {
    Attributes { rest: bytes }
}

/// The attributes after a fixed header of `header` bytes.
pub(crate) fn after(body: &[u8], header: usize) -> Result<Attributes<'_>, Error> {
    body.get(header..).map(attributes).ok_or_else(malformed)
}

pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The value of the first attribute of a type.
    pub fn find(self, wanted: u16) -> Result<Option<&'a [u8]>, Error> {
        for attribute in self {
            let (kind, value) = attribute?;
            if kind == wanted {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(u16, &'a [u8]), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (head, _) = self.rest.split_first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]) & NLA_TYPE_MASK;
        let Some(value) = self.rest.get(HEADER..length) else {
            self.rest = &[];
            return Some(Err(malformed()));
        };
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok((kind, value)))
    }
}

/// A number in the machine's byte order, as rtnetlink has them.
pub(crate) fn number(value: &[u8]) -> Result<u32, Error> {
    value.try_into().map(u32::from_ne_bytes).map_err(|_| malformed())
}

/// A number in network byte order, as nfnetlink has them.
pub(crate) fn big_number(value: &[u8]) -> Result<u32, Error> {
    value.try_into().map(u32::from_be_bytes).map_err(|_| malformed())
}

/// A long number in network byte order.
pub(crate) fn big_long(value: &[u8]) -> Result<u64, Error> {
    value.try_into().map(u64::from_be_bytes).map_err(|_| malformed())
}

/// A NUL terminated string.
pub(crate) fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.split(|b| *b == 0).next().unwrap_or_default()).into_owned()
}

/// An IP address of either family.
pub(crate) fn ip(value: &[u8]) -> Result<std::net::IpAddr, Error> {
    if let Ok(four) = <[u8; 4]>::try_from(value) {
        return Ok(four.into());
    }
    <[u8; 16]>::try_from(value).map(Into::into).map_err(|_| malformed())
}

/// Writes attributes one after the other.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Starts with a fixed header.
    pub fn after(header: &[u8]) -> Self {
        Self { bytes: header.to_vec() }
    }

    /// Adds an attribute.
    pub fn put(mut self, kind: u16, value: &[u8]) -> Self {
        self.begin(kind, value.len());
        self.bytes.extend_from_slice(value);
        self.align()
    }

    /// Adds a string with its NUL.
    pub fn put_text(self, kind: u16, text: &str) -> Self {
        self.put(kind, &[text.as_bytes(), &[0]].concat())
    }

    /// Adds a number in network byte order.
    pub fn put_big(self, kind: u16, value: u32) -> Self {
        self.put(kind, &value.to_be_bytes())
    }

    /// Adds a number in the machine's byte order, if there is one.
    pub fn put_number(self, kind: u16, value: Option<u32>) -> Self {
        match value {
            Some(value) => self.put(kind, &value.to_ne_bytes()),
            None => self,
        }
    }

    /// Adds a nested attribute.
    pub fn nest(mut self, kind: u16, inner: Writer) -> Self {
        self.begin(kind | NLA_F_NESTED, inner.bytes.len());
        self.bytes.extend_from_slice(&inner.bytes);
        self.align()
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn begin(&mut self, kind: u16, length: usize) {
        // The values are the layer's own and far below 64 KiB: names, addresses, one rule's expressions.
        let length = u16::try_from(HEADER + length).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
    }

    fn align(mut self) -> Self {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }
}

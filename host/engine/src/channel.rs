//! What crosses between the daemon and an engine process: values, each with its length before it, on a stream socket.
//!
//! A line carries one call at a time. The daemon sends a [`ToEngine`], the process answers with [`FromEngine`]s, of which
//! [`FromEngine::Ended`] is the last. What comes from the process is decoded as hostile: a length has a limit, and what is no value of this
//! type is an error. What it says is checked by whoever answers it.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use postcard::Deserializer;
use postcard::de_flavors::Flavor;

use ask::{Answer, Arguments, Ask, Refusal, Returned};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use serde::Serialize;
use serde::de::DeserializeOwned;
use words::limit::HOST_CALL_BYTES;
use words::{Error, Result};

use crate::Failure;

/// Bytes of a message: of a host call or answer, with what its encoding adds.
pub const MESSAGE: usize = HOST_CALL_BYTES + (64 << 10);

/// Small values in what an engine process says: each takes a byte there, and up to 24 times as much here.
const VALUES: usize = 256 << 10;

/// Bytes that are read at once, and kept before they are sent.
const CHUNK: usize = 16 << 10;

/// How often whoever waits on a line looks at the time.
const LOOK: Duration = Duration::from_millis(100);

/// What an engine process is told.
#[derive(Debug, Serialize, serde::Deserialize)]
pub enum ToEngine {
    /// Get ready to run the code that was handed over, which exports these parts.
    Load {
        /// The interfaces.
        parts: Vec<String>,
    },
    /// Make a call.
    Call {
        /// The function and its arguments.
        arguments: Arguments,
        /// How long it may take.
        milliseconds: u64,
        /// Bytes of memory that it may have.
        memory: u64,
    },
    /// Compare the types of all that the component exports.
    Fits {
        /// How long it may take.
        milliseconds: u64,
        /// Bytes of memory that it may have.
        memory: u64,
    },
    /// The answer to what was asked.
    Answer(std::result::Result<Answer, Refusal>),
}

/// What an engine process says.
#[derive(Debug, Serialize, serde::Deserialize)]
pub enum FromEngine {
    /// Whether the code can be run here.
    Loaded(Result<()>),
    /// The driver asks, and waits.
    Asks(Ask),
    /// The driver asks for something that has no answer to wait for.
    Says(Ask),
    /// The driver has dropped a handle.
    Dropped(u32),
    /// The call is over.
    Ended(std::result::Result<Returned, Failure>),
    /// The types were compared.
    Fitted(std::result::Result<(), Failure>),
}

/// What crosses a line in one direction.
pub trait Said: Serialize + DeserializeOwned {
    /// So many small values it may have.
    const VALUES: usize;
}

impl Said for ToEngine {
    const VALUES: usize = usize::MAX;
}

impl Said for FromEngine {
    const VALUES: usize = VALUES;
}

/// Why a line can't be used any more.
#[derive(Debug)]
pub enum Broken {
    /// The other end is gone.
    Gone,
    /// It did not answer in time.
    Late,
    /// It said what makes no sense.
    Babble(String),
}

/// One end of it.
#[derive(Debug)]
pub struct Line {
    socket: OwnedFd,
    /// What was received and not taken yet lies between these two places.
    incoming: Vec<u8>,
    taken: usize,
    filled: usize,
    outgoing: Vec<u8>,
}

impl Line {
    /// On a stream socket.
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, incoming: Vec::new(), taken: 0, filled: 0, outgoing: Vec::new() }
    }

    /// One whose other end may not be trusted to speak, or to listen, in time.
    pub fn with_time(socket: OwnedFd) -> std::result::Result<Self, Broken> {
        for timeout in [Timeout::Recv, Timeout::Send] {
            set_socket_timeout(&socket, timeout, Some(LOOK)).map_err(|_| Broken::Gone)?;
        }
        Ok(Self::new(socket))
    }

    /// Whether the other end is there and has said nothing that nobody waits for.
    pub fn is_quiet(&self) -> bool {
        let waiting = recv(&self.socket, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        self.taken == self.filled && matches!(waiting, Err(Errno::AGAIN))
    }

    /// Keeps a message for the next [`Line::flush`]. Too long: an error, and nothing is kept.
    pub fn put(&mut self, message: &impl Said) -> std::result::Result<(), Broken> {
        let before = self.outgoing.len();
        let mut bytes = std::mem::take(&mut self.outgoing);
        bytes.extend([0; 4]);
        let mut bytes = postcard::to_extend(message, bytes).map_err(|e| Broken::Babble(e.to_string()))?;
        let length = bytes.len() - before - 4;
        let fits = length <= MESSAGE;
        match fits.then(|| u32::try_from(length).ok()).flatten() {
            Some(written) => bytes[before..before + 4].copy_from_slice(&written.to_le_bytes()),
            None => bytes.truncate(before),
        }
        self.outgoing = bytes;
        if fits { Ok(()) } else { Err(too_long(length)) }
    }

    /// Gives back the room that large messages took: nothing is kept, and it waits for the next call.
    pub fn rest(&mut self) {
        if self.taken == self.filled && self.incoming.len() > 4 * CHUNK {
            (self.incoming, self.taken, self.filled) = (Vec::new(), 0, 0);
        }
        self.outgoing.shrink_to(CHUNK);
    }

    /// Whether so much is kept that it is better sent.
    pub fn is_full(&self) -> bool {
        self.outgoing.len() > CHUNK
    }

    /// Sends what is kept, until then at most, if the line is [`Line::with_time`]; without a time, for as long as it takes.
    pub fn flush(&mut self, until: Option<Instant>) -> std::result::Result<(), Broken> {
        let mut sent = 0;
        while sent < self.outgoing.len() {
            in_time(until)?;
            match send(&self.socket, &self.outgoing[sent..], SendFlags::NOSIGNAL) {
                Ok(more) => sent += more,
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => return Err(Broken::Gone),
            }
        }
        self.outgoing.clear();
        Ok(())
    }

    /// The next message, in the same time.
    pub fn next<T: Said>(&mut self, until: Option<Instant>) -> std::result::Result<T, Broken> {
        loop {
            // However little it says at a time, and however much, it does not say it for longer.
            in_time(until)?;
            if let Some((message, length)) = decode(&self.incoming[self.taken..self.filled])? {
                self.taken += length;
                return Ok(message);
            }
            self.read()?;
        }
    }

    /// What there is to read; nothing, if it was time to look at the time.
    fn read(&mut self) -> std::result::Result<(), Broken> {
        // What is there goes to the front, and the room behind it is at least one chunk.
        if self.taken > 0 {
            self.incoming.copy_within(self.taken..self.filled, 0);
            self.filled -= std::mem::take(&mut self.taken);
        }
        if self.incoming.len() < self.filled + CHUNK {
            self.incoming.resize(self.filled + CHUNK, 0);
        }
        match recv(&self.socket, &mut self.incoming[self.filled..], RecvFlags::empty()) {
            Err(Errno::INTR | Errno::AGAIN) => {}
            Ok((_, 0)) | Err(_) => return Err(Broken::Gone),
            Ok((_, more)) => self.filled += more,
        }
        Ok(())
    }
}

fn in_time(until: Option<Instant>) -> std::result::Result<(), Broken> {
    if until.is_some_and(|until| Instant::now() > until) { Err(Broken::Late) } else { Ok(()) }
}

/// The message that these bytes begin with, and how many of them it is; none: it is not whole yet.
pub fn decode<T: Said>(bytes: &[u8]) -> std::result::Result<Option<(T, usize)>, Broken> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if length > MESSAGE {
        return Err(too_long(length));
    }
    let Some(message) = rest.get(..length) else { return Ok(None) };
    let mut reader = Deserializer::from_flavor(Reader { left: message, values: T::VALUES });
    let decoded = T::deserialize(&mut reader);
    match (decoded, reader.finalize()) {
        (Ok(message), Ok(Reader { left: [], .. })) => Ok(Some((message, 4 + length))),
        (Ok(_), Ok(Reader { left, .. })) => {
            Err(Broken::Babble(format!("a message with {} bytes after its end", left.len())))
        }
        (Err(_), Ok(Reader { values: 0, .. })) => {
            Err(Broken::Babble(format!("a message of more than {} small values", T::VALUES)))
        }
        (Err(e), _) | (_, Err(e)) => Err(Broken::Babble(format!("a message that is none: {e}"))),
    }
}

/// Takes a message apart. What comes byte by byte, all but texts, is counted.
struct Reader<'a> {
    left: &'a [u8],
    values: usize,
}

impl<'a> Flavor<'a> for Reader<'a> {
    type Remainder = Self;
    type Source = &'a [u8];

    fn pop(&mut self) -> postcard::Result<u8> {
        let (byte, left) = self.left.split_first().ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.values = self.values.checked_sub(1).ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.left = left;
        Ok(*byte)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }

    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'a [u8]> {
        let (taken, left) = self.left.split_at_checked(count).ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.left = left;
        Ok(taken)
    }

    fn finalize(self) -> postcard::Result<Self> {
        Ok(self)
    }
}

fn too_long(length: usize) -> Broken {
    Broken::Babble(format!("a message of {length} bytes: at most {MESSAGE}"))
}

/// As far as whoever asked for the call is told.
impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gone => f.write_str("it ended"),
            Self::Late => f.write_str("it did not answer in time"),
            Self::Babble(what) => write!(f, "it said what makes no sense: {what}"),
        }
    }
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        Self::internal(broken.to_string())
    }
}

#[cfg(test)]
mod tests {
    use ask::links::{LinkChanges, LinkEnd, LinkKind, LinkName, LinkSpec, NewMaster};
    use ask::types::{IpAddress, IpNetwork, NetworkOptions};
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use words::Kind;

    use super::*;
    use crate::Trap;

    fn text(random: &mut fastrand::Rng) -> String {
        let length = if random.u8(..) == 0 { random.usize(..20_000) } else { random.usize(..20) };
        (0..length).map(|_| random.char(..)).collect()
    }

    fn some<T>(random: &mut fastrand::Rng, one: impl Fn(&mut fastrand::Rng) -> T) -> Vec<T> {
        (0..random.usize(..5)).map(|_| one(random)).collect()
    }

    fn network(random: &mut fastrand::Rng) -> IpNetwork {
        let address = match random.bool() {
            true => IpAddress::Ipv4((random.u8(..), random.u8(..), 0, 255)),
            false => IpAddress::Ipv6((random.u16(..), 0, 0, 0, 127, 128, u16::MAX, random.u16(..))),
        };
        IpNetwork { address, prefix_length: random.u8(..) }
    }

    fn end(random: &mut fastrand::Rng) -> LinkEnd {
        LinkEnd {
            namespace: None,
            name: LinkName::Exact(text(random)),
            mac_address: random.bool().then_some((1, 2, 3, 4, 5, 255)),
            mtu: random.bool().then(|| random.u32(..)),
            master: random.bool().then(|| ask::links::Link(random.u32(..))),
            addresses: some(random, network),
            up: random.bool(),
        }
    }

    fn ask(random: &mut fastrand::Rng) -> Ask {
        let this = ask::links::Link(random.u32(..));
        let link = |random: &mut fastrand::Rng| LinkSpec { end: end(random), kind: LinkKind::Veth(end(random)) };
        match random.u8(..6) {
            0 => Ask::LinksAdd { links: some(random, link) },
            1 => Ask::StoreSet { key: text(random), value: text(random).into_bytes().into() },
            2 => Ask::NftablesRemove { ids: some(random, |random| random.u64(..)) },
            3 => Ask::PortsTake { protocol: random.u8(..), addresses: Vec::new(), first: random.u16(..), last: 9 },
            4 => {
                let master = random.bool().then_some(NewMaster::Nothing);
                let (mtu, up) = (Some(random.u32(..)), Some(true));
                let (name, mac_address, hairpin, isolated, learning) = (None, None, None, Some(false), None);
                Ask::LinksLinkSet {
                    this,
                    changes: LinkChanges { name, mac_address, mtu, up, master, hairpin, isolated, learning },
                }
            }
            _ => Ask::LogLog { level: ask::log::Level::Warn, message: text(random) },
        }
    }

    fn error(random: &mut fastrand::Rng) -> Error {
        Error { kind: Kind::Forbidden, message: text(random), errno: random.bool().then(|| random.i32(..)) }
    }

    fn from_engine(random: &mut fastrand::Rng) -> FromEngine {
        let pair = |random: &mut fastrand::Rng| (text(random), text(random));
        match random.u8(..9) {
            0 => FromEngine::Loaded(Ok(())),
            1 => FromEngine::Fitted(Err(Failure::Refused(error(random)))),
            2 => FromEngine::Dropped(random.u32(..)),
            3 => FromEngine::Says(ask(random)),
            4 => FromEngine::Ended(Err(Failure::Refused(error(random)))),
            5 => {
                let (error, backtrace, details) = (error(random), some(random, text), text(random));
                FromEngine::Ended(Err(Failure::Trapped(Trap { error, backtrace, details, coredump: None })))
            }
            6 => FromEngine::Ended(Ok(Returned::DecodeTableEntry((text(random), some(random, pair))))),
            _ => FromEngine::Asks(ask(random)),
        }
    }

    fn to_engine(random: &mut fastrand::Rng) -> ToEngine {
        let pair = |random: &mut fastrand::Rng| (text(random), text(random));
        let (milliseconds, memory) = (random.u64(..), random.u64(..));
        match random.u8(..5) {
            0 => ToEngine::Load { parts: some(random, text) },
            1 => {
                let (generic, other) = (some(random, pair), some(random, pair));
                let options = NetworkOptions { generic, ipv4: random.bool(), ipv6: true, internal: false, other };
                let (network, ipv4, ipv6) = (text(random), Vec::new(), Vec::new());
                let arguments = Arguments::CreateNetwork { network, options, ipv4, ipv6 };
                ToEngine::Call { arguments, milliseconds, memory }
            }
            2 => ToEngine::Fits { milliseconds, memory },
            3 => ToEngine::Answer(Err(Refusal::Error(error(random)))),
            _ => ToEngine::Answer(Ok(Answer::StoreGet(Some(text(random).into_bytes().into())))),
        }
    }

    /// What was put into one end comes out of the other.
    fn comes_out<T: Said + std::fmt::Debug>(messages: &[T]) {
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::empty(), None).unwrap();
        let (mut one, mut other) = (Line::new(one), Line::new(other));
        messages.iter().for_each(|message| one.put(message).unwrap());
        std::thread::scope(|scope| {
            scope.spawn(move || one.flush(None).unwrap());
            for message in messages {
                let next: T = other.next(Some(Instant::now() + Duration::from_secs(10))).unwrap();
                assert_eq!(format!("{next:?}"), format!("{message:?}"));
                other.rest();
            }
        });
    }

    #[test]
    fn what_is_said_is_heard() {
        let mut random = fastrand::Rng::with_seed(13);
        for _ in 0..50 {
            comes_out(&(0..20).map(|_| from_engine(&mut random)).collect::<Vec<_>>());
            comes_out(&(0..20).map(|_| to_engine(&mut random)).collect::<Vec<_>>());
        }
    }

    /// Bytes that are changed are another message, none yet, or none at all; and a message that is cut off is not whole yet.
    #[test]
    fn what_is_changed_or_cut_off_is_harmless() {
        let mut random = fastrand::Rng::with_seed(14);
        let mut none = 0;
        for _ in 0..3_000 {
            let message = postcard::to_allocvec(&from_engine(&mut random)).unwrap();
            let length = u32::try_from(message.len()).unwrap();
            let mut bytes = [&length.to_le_bytes()[..], &message].concat();
            assert!(matches!(decode::<FromEngine>(&bytes[..random.usize(..bytes.len())]), Ok(None)));
            assert!(matches!(decode::<FromEngine>(&bytes), Ok(Some((_, taken))) if taken == bytes.len()));
            for _ in 0..random.usize(1..4) {
                let place = random.usize(4.min(bytes.len() - 1)..bytes.len());
                bytes[place] = random.u8(..);
            }
            none += usize::from(decode::<FromEngine>(&bytes).is_err());
            random.fill(&mut bytes);
            let _ = decode::<FromEngine>(&bytes);
            let _ = decode::<ToEngine>(&bytes);
        }
        assert!(none > 300, "{none} changed messages were none");
    }

    /// The smallest values take the most memory, for the bytes that they are sent in.
    #[test]
    fn what_is_large_is_not_larger_here() {
        let many = |count: usize| Returned::NetworkAllocate(vec![(String::new(), String::new()); count]);
        let decoded = |count: usize| {
            let message = postcard::to_allocvec(&FromEngine::Ended(Ok(many(count)))).unwrap();
            let length = u32::try_from(message.len()).unwrap();
            decode::<FromEngine>(&[&length.to_le_bytes()[..], &message].concat()).map(drop)
        };
        assert!(decoded(VALUES / 2 - 10).is_ok());
        let error = decoded(VALUES / 2 + 10).unwrap_err().to_string();
        assert!(error.ends_with("a message of more than 262144 small values"), "{error}");
        let error = decode::<FromEngine>(&[0xff; 8]).unwrap_err().to_string();
        assert!(error.ends_with("a message of 4294967295 bytes: at most 1114112"), "{error}");
    }
}

//! The netlink transport: several requests go out in one datagram, and every answer is matched to its request by sequence number.

use std::fmt;
use std::time::Duration;

use netlink_packet_core::Emitable;
use netlink_sys::{Socket as Raw, SocketAddr};
use rustix::net::sockopt::{
    Timeout, set_socket_recv_buffer_size, set_socket_recv_buffer_size_force, set_socket_send_buffer_size,
    set_socket_send_buffer_size_force, set_socket_timeout,
};

use crate::Error;
use crate::error::Refusal;
use crate::transport::attribute::{attributes, text};

/// linux/netlink.h: NLM_F_*.
pub(crate) mod flag {
    pub const REQUEST: u16 = 0x1;
    pub const ACK: u16 = 0x4;
    pub const ECHO: u16 = 0x8;
    pub const DUMP_INTERRUPTED: u16 = 0x10;
    pub const ACK_TLVS: u16 = 0x200;
    /// NLM_F_NONREC, of messages that delete.
    pub const NOT_RECURSIVE: u16 = 0x100;
    pub const REPLACE: u16 = 0x100;
    pub const EXCL: u16 = 0x200;
    pub const CREATE: u16 = 0x400;
    pub const DUMP: u16 = 0x300;
}

const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;
const NLMSGERR_ATTR_MSG: u16 = 1;
const HEADER: usize = 16;

/// Both for the requests of one datagram: their answers must fit into the receive buffer before the first is read.
const REQUESTS_PER_DATAGRAM: usize = 64;
const BYTES_PER_DATAGRAM: usize = 64 * 1024;
/// Room for the answers to [`REQUESTS_PER_DATAGRAM`] requests, which the kernel counts with about 4 KiB each.
const RECEIVE_BUFFER: usize = 1 << 20;
/// Room for the answers to a transaction of a thousand rules, which the kernel echoes beside its acknowledgements.
const NETFILTER_RECEIVE_BUFFER: usize = 8 << 20;
/// An nftables transaction is one datagram, whatever it holds.
const SEND_BUFFER: usize = 1 << 20;
/// The kernel sends dumps in pieces of at most 32 KiB, and one message is smaller than that.
const PIECE: usize = 64 * 1024;
/// The kernel answers before `send` returns; what isn't there after this long never comes.
const PATIENCE: Duration = Duration::from_secs(10);
/// MSG_TRUNC of recv(2): the answer's real length.
const MSG_TRUNC: i32 = 0x20;
/// A dump that changes are made beside is repeated, but not forever.
const DUMP_TRIES: usize = 20;

/// Which kernel subsystem a socket speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// NETLINK_ROUTE.
    Route = 0,
    /// NETLINK_NETFILTER.
    Netfilter = 12,
    /// NETLINK_GENERIC.
    Generic = 16,
}

/// One message to the kernel. What it says is not shown: a WireGuard link's has its private key.
#[derive(Clone)]
pub(crate) struct Request {
    /// nlmsg_type.
    pub kind: u16,
    /// NLM_F_*.
    pub flags: u16,
    /// What follows the header.
    pub body: Vec<u8>,
}

impl Request {
    /// A change, or a question about one object: acknowledged.
    pub fn one(kind: u16, flags: u16, body: &impl Emitable) -> Self {
        Self { kind, flags: flag::REQUEST | flag::ACK | flags, body: emit(body) }
    }

    /// A question about all objects.
    pub fn dump(kind: u16, body: &impl Emitable) -> Self {
        Self { kind, flags: flag::REQUEST | flag::DUMP, body: emit(body) }
    }

    /// As [`Request::one`], written already.
    pub fn of(kind: u16, flags: u16, body: Vec<u8>) -> Self {
        Self { kind, flags: flag::REQUEST | flag::ACK | flags, body }
    }

    /// As [`Request::dump`], written already.
    pub fn all(kind: u16, body: Vec<u8>) -> Self {
        Self { kind, flags: flag::REQUEST | flag::DUMP, body }
    }

    /// Writes it as it goes to the kernel.
    pub fn write(&self, sequence: u32, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let length = u32::try_from(HEADER + self.body.len());
        let length = length.map_err(|_| Error::refused("netlink: a request of more than 4 GiB"))?;
        bytes.extend_from_slice(&length.to_ne_bytes());
        bytes.extend_from_slice(&self.kind.to_ne_bytes());
        bytes.extend_from_slice(&self.flags.to_ne_bytes());
        bytes.extend_from_slice(&sequence.to_ne_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        Ok(())
    }

    fn is_answered(&self) -> bool {
        self.flags & (flag::ACK | flag::DUMP) != 0
    }
}

fn emit(body: &impl Emitable) -> Vec<u8> {
    let mut bytes = vec![0; body.buffer_len()];
    body.emit(&mut bytes);
    bytes
}

/// One message of the kernel. What it says is not shown, either.
#[derive(Clone)]
pub(crate) struct Message {
    /// What follows the header.
    pub body: Vec<u8>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request {} with flags {:x} and {} bytes", self.kind, self.flags, self.body.len())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message of {} bytes", self.body.len())
    }
}

/// What the kernel said to one request: messages, or no.
pub(crate) type Answer = Result<Vec<Message>, Refusal>;

/// A netlink socket. It stays in the namespace of the thread that opened it, wherever it is used.
#[derive(Debug)]
pub(crate) struct Socket {
    raw: Raw,
    sequence: u32,
    piece: Vec<u8>,
}

impl Socket {
    /// Opens one in the calling thread's namespace.
    pub fn open(protocol: Protocol) -> Result<Self, Error> {
        let failed = |e: std::io::Error| Error::io("opening a netlink socket", &e);
        let raw = Raw::new(protocol as isize).map_err(failed)?;
        raw.set_ext_ack(true).map_err(failed)?;
        raw.set_cap_ack(true).map_err(failed)?;
        if protocol == Protocol::Route {
            raw.set_netlink_get_strict_chk(true).map_err(failed)?;
        }
        let failed = |e| Error::system("setting up a netlink socket", e);
        set_socket_timeout(&raw, Timeout::Recv, Some(PATIENCE)).map_err(failed)?;
        // Above the system's limit only with CAP_NET_ADMIN over the machine, which root in a user namespace hasn't: there, up to the limit.
        let receive = if protocol == Protocol::Netfilter { NETFILTER_RECEIVE_BUFFER } else { RECEIVE_BUFFER };
        set_socket_recv_buffer_size_force(&raw, receive)
            .or_else(|_| set_socket_recv_buffer_size(&raw, receive))
            .map_err(failed)?;
        if protocol == Protocol::Netfilter {
            set_socket_send_buffer_size_force(&raw, SEND_BUFFER)
                .or_else(|_| set_socket_send_buffer_size(&raw, SEND_BUFFER))
                .map_err(failed)?;
        }
        Ok(Self { raw, sequence: 0, piece: Vec::with_capacity(PIECE) })
    }

    /// Has the kernel give it a port id, and says which.
    pub fn bind(&mut self) -> Result<u32, Error> {
        let bound = self.raw.bind_auto().map_err(|e| Error::io("binding a netlink socket", &e))?;
        Ok(bound.port_number())
    }

    /// Sends requests, together as far as they fit, and gives one answer to each. One that is refused doesn't stop those after it.
    pub fn exchange(&mut self, requests: &[Request]) -> Result<Vec<Answer>, Error> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut rest = requests;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest));
            answers.extend(self.datagram(now)?);
            rest = later;
        }
        Ok(answers)
    }

    /// Sends one request for its answer.
    pub fn ask(&mut self, request: Request) -> Result<Answer, Error> {
        for _ in 0..DUMP_TRIES {
            let mut pending = Pending::new(self.sequence, 1);
            self.send(std::slice::from_ref(&request))?;
            self.receive(&mut pending, std::slice::from_ref(&request))?;
            if !pending.interrupted {
                return pending.answers.pop().ok_or_else(|| Error::refused("netlink: no answer"));
            }
        }
        Err(Error::refused("netlink: the list changed each time while the kernel gave it out"))
    }

    /// Sends all requests in one datagram, as an nftables transaction needs it.
    pub fn datagram(&mut self, requests: &[Request]) -> Result<Vec<Answer>, Error> {
        let mut pending = Pending::new(self.sequence, requests.len());
        self.send(requests)?;
        self.receive(&mut pending, requests)?;
        Ok(pending.answers)
    }

    fn send(&mut self, requests: &[Request]) -> Result<(), Error> {
        let mut bytes = Vec::with_capacity(requests.iter().map(|r| r.body.len() + HEADER + 3).sum());
        for request in requests {
            request.write(self.sequence, &mut bytes)?;
            self.sequence = self.sequence.wrapping_add(1);
        }
        let sent = self.raw.send_to(&bytes, &SocketAddr::new(0, 0), 0);
        sent.map(|_| ()).map_err(|e| Error::io("sending to the kernel", &e))
    }

    fn receive(&mut self, pending: &mut Pending, requests: &[Request]) -> Result<(), Error> {
        while requests.iter().zip(&pending.done).any(|(r, done)| r.is_answered() && !done) {
            self.piece.clear();
            let (length, from) = match self.raw.recv_from(&mut self.piece, MSG_TRUNC) {
                Ok(received) => received,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Error::io("waiting for the kernel's answer", &e)),
            };
            if length > self.piece.len() {
                return Err(Error::refused(format!("netlink: an answer of {length} bytes is too long")));
            }
            // Any process may send to a netlink socket; the kernel's own address is 0.
            if from.port_number() == 0 {
                pending.take(&self.piece)?;
            }
            // A message that asks for no answer gets one only if it is refused, and then those after it get none (nfnetlink batches).
            if requests.iter().zip(&pending.done).any(|(r, done)| !r.is_answered() && *done) {
                break;
            }
        }
        Ok(())
    }
}

/// How many requests, at least one, go into the next datagram. A dump goes alone: the kernel does one at a time.
fn fitting(requests: &[Request]) -> usize {
    let mut bytes = 0;
    let fits = |request: &&Request| {
        bytes += request.body.len() + HEADER + 3;
        bytes <= BYTES_PER_DATAGRAM && request.flags & flag::DUMP != flag::DUMP
    };
    requests.iter().take(REQUESTS_PER_DATAGRAM).take_while(fits).count().max(1)
}

/// The answers to one datagram as they come in.
struct Pending {
    first: u32,
    answers: Vec<Answer>,
    done: Vec<bool>,
    interrupted: bool,
}

impl Pending {
    fn new(first: u32, count: usize) -> Self {
        Self { first, answers: vec![Ok(Vec::new()); count], done: vec![false; count], interrupted: false }
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while bytes.len() >= HEADER {
            let length = u32_at(bytes, 0)? as usize;
            let frame = bytes.get(..length).filter(|f| f.len() >= HEADER).ok_or_else(malformed)?;
            self.frame(frame)?;
            bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(())
    }

    fn frame(&mut self, frame: &[u8]) -> Result<(), Error> {
        let (kind, flags) = (u16_at(frame, 4)?, u16_at(frame, 6)?);
        let position = u32_at(frame, 8)?.wrapping_sub(self.first) as usize;
        let body = &frame[HEADER..];
        let (Some(done), Some(answer)) = (self.done.get_mut(position), self.answers.get_mut(position)) else {
            return Ok(()); // An answer that came too late for an earlier question.
        };
        self.interrupted |= flags & flag::DUMP_INTERRUPTED != 0;
        match kind {
            NLMSG_NOOP => {}
            NLMSG_OVERRUN => return Err(Error::refused("netlink: the kernel dropped data")),
            NLMSG_ERROR | NLMSG_DONE => {
                *done = true;
                if let Some(refusal) = refusal(kind, flags, body)? {
                    *answer = Err(refusal);
                }
            }
            _ => {
                if let Ok(messages) = answer {
                    messages.push(Message { body: body.to_vec() });
                }
            }
        }
        Ok(())
    }
}

/// The answers that a datagram holds to so many requests.
#[cfg(fuzzing)]
pub(crate) fn answers(count: usize, bytes: &[u8]) -> Result<Vec<Answer>, Error> {
    let mut pending = Pending::new(0, count);
    pending.take(bytes)?;
    Ok(pending.answers)
}

/// Reads `struct nlmsgerr`, or the errno that ends a dump.
fn refusal(kind: u16, flags: u16, body: &[u8]) -> Result<Option<Refusal>, Error> {
    if kind == NLMSG_DONE && body.len() < 4 {
        return Ok(None);
    }
    let errno = u32_at(body, 0)?.cast_signed().wrapping_neg();
    if errno == 0 {
        return Ok(None);
    }
    // With NETLINK_CAP_ACK the error is followed by the request's header alone; DONE has the errno alone.
    let attributes = if kind == NLMSG_ERROR { 4 + HEADER } else { 4 };
    let text = match body.get(attributes..) {
        Some(rest) if flags & flag::ACK_TLVS != 0 => extended_text(rest),
        _ => None,
    };
    Ok(Some(Refusal { errno, text }))
}

fn extended_text(bytes: &[u8]) -> Option<String> {
    attributes(bytes).find(NLMSGERR_ATTR_MSG).ok().flatten().map(text)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Error> {
    let four = bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
    four.map(u32::from_ne_bytes).ok_or_else(malformed)
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Error> {
    let two = bytes.get(at..at + 2).and_then(|b| b.try_into().ok());
    two.map(u16::from_ne_bytes).ok_or_else(malformed)
}

/// An answer of a shape that the layer doesn't know.
pub(crate) fn malformed() -> Error {
    Error::refused("netlink: the kernel's answer has an unexpected shape")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One message of the kernel.
    fn frame(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let length = (HEADER + body.len()) as u32;
        let head =
            [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &sequence.to_ne_bytes(), &[0; 4]];
        let mut bytes = [head.concat().as_slice(), body].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn answers_find_their_requests() -> Result<(), Error> {
        let mut pending = Pending::new(7, 3);
        let no = (-17i32).to_ne_bytes();
        let text = [&[14, 0, 1, 0][..], b"it exists\0", &[0; 2]].concat();
        let refused = [&no[..], &[0; HEADER], &text].concat();
        let frames = [
            frame(16, 0, 8, b"link"),
            frame(NLMSG_ERROR, flag::ACK_TLVS, 9, &refused),
            frame(16, 0, 6, b"too late"),
            frame(16, 0, 10, b"never asked"),
            frame(NLMSG_ERROR, 0, 8, &[0; 4]),
            frame(NLMSG_DONE, flag::DUMP_INTERRUPTED, 7, &[0; 4]),
        ];
        pending.take(&frames.concat())?;
        assert_eq!(pending.done, [true; 3]);
        assert!(pending.interrupted);
        assert!(pending.answers[0].as_ref().is_ok_and(Vec::is_empty));
        assert!(pending.answers[1].as_ref().is_ok_and(|m| m.len() == 1 && m[0].body == b"link"));
        let refusal = Refusal { errno: 17, text: Some("it exists".into()) };
        assert_eq!(pending.answers[2].as_ref().err(), Some(&refusal));
        assert_eq!(refusal.to_string(), "File exists (it exists)");
        Ok(())
    }

    #[test]
    fn odd_answers_are_errors_or_ignored_but_never_panics() {
        let good = [frame(NLMSG_ERROR, flag::ACK_TLVS, 0, &[255; 40]), frame(16, 0, 0, &[1; 30])].concat();
        for end in 0..good.len() {
            let _ = Pending::new(0, 1).take(&good[..end]);
        }
        for position in 0..good.len() {
            for value in [0, 1, 3, 15, 127, 255] {
                let mut odd = good.clone();
                odd[position] = value;
                let _ = Pending::new(0, 1).take(&odd);
            }
        }
        assert!(Pending::new(0, 1).take(&frame(NLMSG_OVERRUN, 0, 0, &[])).is_err());
        assert!(Pending::new(0, 1).take(&frame(NLMSG_ERROR, 0, 0, &[1])).is_err());
    }

    #[test]
    fn datagrams_hold_what_fits_and_dumps_go_alone() {
        let small = Request { kind: 16, flags: flag::REQUEST | flag::ACK, body: vec![0; 100] };
        let large = Request { body: vec![0; BYTES_PER_DATAGRAM], ..small.clone() };
        let dump = Request { flags: flag::REQUEST | flag::DUMP, ..small.clone() };
        assert_eq!(fitting(&vec![small.clone(); 200]), REQUESTS_PER_DATAGRAM);
        assert_eq!(fitting(&[small.clone(), large.clone()]), 1);
        assert_eq!(fitting(&[large, small.clone()]), 1);
        assert_eq!(fitting(&[dump.clone(), small.clone()]), 1);
        assert_eq!(fitting(&[small.clone(), small, dump]), 2);
    }
}

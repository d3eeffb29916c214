//! A subscription to the changes that others make to the host's nftables (NFNLGRP_NFTABLES).

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use netlink_sys::{Socket as Raw, SocketAddr};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use crate::transport::attribute::{attributes, text};
use crate::transport::session::Own;
use crate::transport::socket::Protocol;
use crate::{Error, nft};

/// NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h, as a bit.
const GROUP: u32 = 1 << (7 - 1);
const NFPROTO_INET: u8 = 1;
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
/// The attribute that names the table is number 1 in every message, whatever it is about.
const TABLE: u16 = 1;
/// `struct nlmsghdr` and `struct nfgenmsg`.
const HEADER: usize = 16 + 4;
const PIECE: usize = 64 * 1024;
/// The kernel takes no shorter time limit than a tick; zero would be none.
const SHORTEST: Duration = Duration::from_millis(1);

/// See the module. One thread waits; any other may end that.
#[derive(Debug)]
pub struct Watch {
    source: Source,
    ended: AtomicBool,
}

/// Where changes come from.
#[derive(Debug)]
enum Source {
    /// The kernel, which tells of every change: of those to tables of family inet whose names begin with the tag, and to iptables' own, whoever
    /// waits hears, unless this process made them.
    Kernel { raw: Raw, tag: String, own: Arc<Own> },
    /// A fake, in which nobody else has a firewall: it only ends.
    Nobody { end: Mutex<()>, told: Condvar },
}

/// What came while somebody waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The table `filter` of iptables changed.
    Change,
    /// A table of the tag changed, or so much happened that it may have.
    Loss,
    /// Nothing, in the time that was given.
    Nothing,
    /// [`Watch::end`] was called.
    End,
}

impl Watch {
    /// Subscribes in the calling thread's namespace.
    pub(super) fn open(tag: &str, own: Arc<Own>) -> Result<Self, Error> {
        let failed = |e: io::Error| Error::io("subscribing to changes of nftables", &e);
        let mut raw = Raw::new(Protocol::Netfilter as isize).map_err(failed)?;
        raw.bind(&SocketAddr::new(0, GROUP)).map_err(failed)?;
        Ok(Self { source: Source::Kernel { raw, tag: tag.to_owned(), own }, ended: AtomicBool::new(false) })
    }

    /// One that nothing ever comes to.
    pub(super) fn of_nobody() -> Self {
        Self { source: Source::Nobody { end: Mutex::default(), told: Condvar::new() }, ended: AtomicBool::new(false) }
    }

    /// Waits for a change; without `patience`, as long as it takes.
    pub fn wait(&self, patience: Option<Duration>) -> Result<Seen, Error> {
        match &self.source {
            Source::Kernel { raw, tag, own } => self.listen(raw, &|message| concerns(message, tag, own), patience),
            Source::Nobody { end, told } => {
                let guard = end.lock().unwrap_or_else(PoisonError::into_inner);
                let goes_on = |(): &mut ()| !self.ended.load(Ordering::Acquire);
                // As long as it takes is, here, until the end.
                let patience = patience.unwrap_or(Duration::MAX);
                drop(told.wait_timeout_while(guard, patience, goes_on));
                Ok(if self.ended.load(Ordering::Acquire) { Seen::End } else { Seen::Nothing })
            }
        }
    }

    fn listen(
        &self,
        raw: &Raw,
        concerns: &dyn Fn(&[u8]) -> Option<Seen>,
        patience: Option<Duration>,
    ) -> Result<Seen, Error> {
        let deadline = patience.map(|patience| Instant::now() + patience);
        let mut piece = Vec::with_capacity(PIECE);
        while !self.ended.load(Ordering::Acquire) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(Seen::Nothing);
            }
            set_socket_timeout(raw, Timeout::Recv, left.map(|left| left.max(SHORTEST)))
                .map_err(|e| Error::system("waiting for changes of nftables", e))?;
            piece.clear();
            match raw.recv_from(&mut piece, 0) {
                // Any process may send to a netlink socket; the kernel's own address is 0.
                Ok((_, from)) if from.port_number() == 0 => {
                    if let Some(seen) = most(&piece, concerns) {
                        return Ok(seen);
                    }
                }
                Ok(_) => {}
                // There was more than the socket holds.
                Err(e) if e.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => return Ok(Seen::Loss),
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(e) => return Err(Error::io("waiting for changes of nftables", &e)),
            }
        }
        Ok(Seen::End)
    }

    /// Lets whoever waits now or later see [`Seen::End`].
    pub fn end(&self) -> Result<(), Error> {
        let raw = match &self.source {
            Source::Kernel { raw, .. } => raw,
            Source::Nobody { end, told } => {
                let _guard = end.lock().unwrap_or_else(PoisonError::into_inner);
                self.ended.store(true, Ordering::Release);
                told.notify_all();
                return Ok(());
            }
        };
        self.ended.store(true, Ordering::Release);
        // A question whose answer comes to the one who waits.
        let mut question = Vec::new();
        nft::get_generation().write(0, &mut question)?;
        let sent = raw.send_to(&question, &SocketAddr::new(0, 0), 0);
        sent.map(|_| ()).map_err(|e| Error::io("ending to wait for changes of nftables", &e))
    }
}

/// What the messages tell, a loss before any other change.
fn most(mut bytes: &[u8], concerns: &dyn Fn(&[u8]) -> Option<Seen>) -> Option<Seen> {
    let mut seen = None;
    while let Some((length, _)) = bytes.split_first_chunk() {
        let length = u32::from_ne_bytes(*length) as usize;
        let Some(message) = bytes.get(..length).filter(|m| m.len() >= HEADER) else { return seen };
        match concerns(message) {
            Some(Seen::Loss) => return Some(Seen::Loss),
            other => seen = seen.or(other),
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    seen
}

fn concerns(message: &[u8], tag: &str, own: &Own) -> Option<Seen> {
    let kind = u16::from_ne_bytes([message[4], message[5]]);
    let by = u32::from_ne_bytes([message[12], message[13], message[14], message[15]]);
    if kind >> 8 != nft::NFT_SUBSYSTEM || kind & 0xff == nft::NFT_MSG_NEWGEN || own.has(by) {
        return None;
    }
    let table = attributes(&message[HEADER..]).find(TABLE).ok().flatten().map(text).unwrap_or_default();
    match message[16] {
        NFPROTO_IPV4 | NFPROTO_IPV6 if table == "filter" => Some(Seen::Change),
        NFPROTO_INET if table.starts_with(tag) => Some(Seen::Loss),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_messages_concern_nobody() {
        let own = Own::default();
        let concerns = |bytes: &[u8]| most(bytes, &|message| super::concerns(message, "t", &own)).is_some();
        let message = |kind: u16, family: u8, table: &str| {
            let attribute = [&[table.len() as u8 + 5, 0, 1, 0], table.as_bytes(), &[0]].concat();
            let length = (HEADER + attribute.len()) as u32;
            let head = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], &[family, 0, 0, 0]].concat();
            let mut bytes = [head, attribute].concat();
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let rule = nft::NFT_SUBSYSTEM << 8 | 6;
        for (family, table) in [(2, "filter"), (10, "filter"), (1, "t")] {
            assert!(concerns(&message(rule, family, table)));
            assert!(concerns(&[message(rule, 1, "other"), message(rule, family, table)].concat()));
        }
        let other = [message(rule, 2, "nat"), message(rule, 1, "filter"), message(2, 2, "filter")].concat();
        assert!(!concerns(&other));
        let good = message(rule, 2, "filter");
        // Its last byte pads it.
        (0..good.len() - 1).for_each(|end| assert!(!concerns(&good[..end])));
        for position in 0..good.len() {
            for value in [0, 1, 3, 15, 127, 255] {
                let mut odd = good.clone();
                odd[position] = value;
                concerns(&odd);
            }
        }
    }
}

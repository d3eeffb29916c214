//! This program's processes: making one, and messages between them, values with open files beside them, over a pair of sockets.
#![expect(unsafe_code, reason = "a declaration of fork, which rustix does not have")]

use std::ffi::c_int;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Bytes of a message: a path has 4096 at most, of which JSON makes up to six times as many.
const MESSAGE: usize = 32 << 10;

/// Open files beside a message.
pub const FILES: usize = 32;

unsafe extern "C" {
    safe fn fork() -> c_int;
}

/// Where a process goes on after [`split`].
pub enum Side {
    /// In the child.
    Child,
    /// In the parent, with the child's number.
    Parent(Pid),
}

/// Makes a child that goes on as a copy of this process. Only for a process with one thread: locks that another one holds would never be
/// released in the child.
pub fn split() -> Result<Side, Error> {
    match Pid::from_raw(fork()) {
        Some(child) if child.as_raw_pid() > 0 => Ok(Side::Parent(child)),
        None => Ok(Side::Child),
        Some(_) => Err(Error::io("making a process", &io::Error::last_os_error())),
    }
}

/// Two ends that keep messages apart.
pub fn pair() -> Result<(OwnedFd, OwnedFd), Error> {
    let made = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
    made.map_err(|e| Error::system("making a pair of sockets", e))
}

/// Whether an error says that the process at the other end has ended.
pub fn is_gone(error: &Error) -> bool {
    [Errno::PIPE, Errno::CONNRESET].iter().any(|gone| error.errno == Some(gone.raw_os_error()))
}

/// Sends a message, and up to [`FILES`] open files beside it.
pub fn send(to: BorrowedFd<'_>, message: &impl Serialize, files: &[BorrowedFd<'_>]) -> Result<(), Error> {
    let bytes = serde_json::to_vec(message).map_err(|e| Error::refused(format!("a path that is no text: {e}")))?;
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(FILES))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(Error::refused(format!("{} files beside a message: at most {FILES}", files.len())));
    }
    let sent = sendmsg(to, &[IoSlice::new(&bytes)], &mut beside, SendFlags::NOSIGNAL);
    sent.map(drop).map_err(|e| Error::system("speaking with another process of this program", e))
}

/// The next message and what came beside it; none: the other side is gone.
pub fn receive<T: for<'a> Deserialize<'a>>(from: BorrowedFd<'_>) -> Result<Option<(T, Vec<OwnedFd>)>, Error> {
    let mut bytes = vec![0; MESSAGE];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(FILES))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        match recvmsg(from, &mut [IoSliceMut::new(&mut bytes)], &mut beside, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Ok(None),
            Err(e) => return Err(Error::system("waiting for another process of this program", e)),
            Ok(received) => break received,
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut files = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(sent) = message {
            files.extend(sent);
        }
    }
    let cut = received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    match serde_json::from_slice(&bytes[..received.bytes]) {
        Ok(message) if !cut => Ok(Some((message, files))),
        _ => Err(Error::refused("another process of this program: a message that can't be read")),
    }
}

//! The socket that puts frames on a link of the host. It takes CAP_NET_RAW to open one and none to use it, so the daemon opens it before it gives
//! that up. It receives nothing, and can't be made to: it is bound to no protocol, and its filter lets nothing through and is locked.
#![expect(unsafe_code, reason = "see above; every block says why it is sound")]

use std::ffi::{c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, sendto, socket_with};

use crate::{Error, namespace};

const SOL_SOCKET: c_int = 1;
const SO_ATTACH_FILTER: c_int = 26;
const SO_LOCK_FILTER: c_int = 44;

/// This process's, with the inode of the namespace that it is in. Like the confinement that makes it necessary, it is a fact about the whole process.
static OURS: OnceLock<(u64, Announcer)> = OnceLock::new();

/// See the module.
#[derive(Debug)]
pub(crate) struct Announcer(OwnedFd);

/// Opens the socket in the calling thread's namespace, for all of this process's life.
pub fn open_announcer() -> Result<(), Error> {
    let inode = namespace::inode(namespace::current()?.as_fd())?;
    let opened = Announcer::open()?;
    OURS.get_or_init(|| (inode, opened));
    Ok(())
}

impl Announcer {
    /// The process's own, if it is in this namespace.
    pub fn of_process(inode: u64) -> Option<&'static Self> {
        OURS.get().filter(|(at, _)| *at == inode).map(|(_, announcer)| announcer)
    }

    /// Opens one in the calling thread's namespace.
    pub fn open() -> Result<Self, Error> {
        let failed = |e| Error::system("opening a socket for frames", e);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None).map_err(failed)?;
        let instruction = Instruction { code: 0x06, if_true: 0, if_false: 0, k: 0 };
        let program = Program { length: 1, instructions: &raw const instruction };
        set(&socket, SO_ATTACH_FILTER, &program).map_err(failed)?;
        set::<c_int>(&socket, SO_LOCK_FILTER, &1).map_err(failed)?;
        Ok(Self(socket))
    }

    /// Puts a frame, with its Ethernet header, on the link of this index.
    pub fn send(&self, index: u32, frame: &[u8]) -> Result<(), Errno> {
        let link = Link { family: AddressFamily::PACKET.as_raw(), protocol: 0, index, rest: [0; 12] };
        sendto(&self.0, frame, SendFlags::empty(), &link).map(drop)
    }
}

/// `struct sock_filter` (linux/filter.h): this one instruction (BPF_RET | BPF_K) takes 0 bytes of a frame.
#[repr(C)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    k: u32,
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

/// `struct sockaddr_ll` (linux/if_packet.h): only the link matters where the frame has its header.
#[repr(C)]
struct Link {
    family: u16,
    protocol: u16,
    index: u32,
    rest: [u8; 12],
}

// SAFETY: the closure gets a pointer to this whole value, which lives as long as the call and is what the kernel takes as a packet socket's address:
// 20 bytes, all of them initialised.
unsafe impl SocketAddrArg for Link {
    unsafe fn with_sockaddr<R>(&self, f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R) -> R {
        f((&raw const *self).cast(), 20)
    }
}

unsafe extern "C" {
    fn setsockopt(socket: c_int, level: c_int, name: c_int, value: *const c_void, length: u32) -> c_int;
}

fn set<T>(socket: &OwnedFd, name: c_int, value: &T) -> Result<(), Errno> {
    let length = u32::try_from(size_of::<T>()).map_err(|_| Errno::INVAL)?;
    // SAFETY: the socket is open for the whole call; the kernel reads `length` bytes, which are all of `value`, and of a filter the one instruction
    // that the program points to, which lives longer than the call.
    let result = unsafe { setsockopt(socket.as_raw_fd(), SOL_SOCKET, name, (&raw const *value).cast(), length) };
    if result == 0 {
        Ok(())
    } else {
        Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL))
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::{RecvFlags, bind, recv};

    use super::*;

    /// Every protocol (ETH_P_ALL).
    const ALL: u16 = 3;

    fn on_loopback(work: impl FnOnce(&Announcer) + Send) {
        let inside = || {
            namespace::enter_new().unwrap();
            crate::link::set::loopback_up().unwrap();
            work(&Announcer::open().unwrap());
        };
        std::thread::scope(|scope| scope.spawn(inside).join().unwrap());
    }

    #[test]
    fn it_sends_and_receives_nothing() {
        on_loopback(|announcer| {
            let witness = socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::NONBLOCK, None).unwrap();
            let all = Link { family: AddressFamily::PACKET.as_raw(), protocol: ALL.to_be(), index: 1, rest: [0; 12] };
            bind(&witness, &all).unwrap();
            // Whoever has broken into the daemon can bind it, too.
            bind(&announcer.0, &all).unwrap();
            let frame = [[0; 12].as_slice(), &[0x88, 0xb5], b"frame of a test"].concat();
            announcer.send(1, &frame).unwrap();
            let mut bytes = [0; 64];
            let (length, _) = recv(&witness, &mut bytes, RecvFlags::empty()).unwrap();
            assert_eq!(bytes[..length], frame);
            assert_eq!(recv(&announcer.0, &mut bytes, RecvFlags::empty()).unwrap_err(), Errno::AGAIN);
            let instruction = Instruction { code: 0x06, if_true: 0, if_false: 0, k: u32::MAX };
            let program = Program { length: 1, instructions: &raw const instruction };
            assert_eq!(set(&announcer.0, SO_ATTACH_FILTER, &program), Err(Errno::PERM));
        });
    }
}

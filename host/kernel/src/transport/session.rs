//! One call's way into the kernel: it opens each namespace and socket at its first use. At its end the host's sockets wait for the next call,
//! and a sandbox's too while an operation keeps that.

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, PoisonError};

use crate::host::Host;
use crate::link::known::KnownLinks;
use crate::transport::announcer::Announcer;
use crate::transport::doorman::Doorman;
use crate::transport::kept::Kept;
use crate::transport::socket::{Answer, Message, Protocol, Request, Socket, malformed};
use crate::{Error, Namespace, NamespacePath, namespace};

/// The host's namespace with sockets that outlive a call.
#[derive(Debug)]
pub(crate) struct Real {
    file: OwnedFd,
    inode: u64,
    idle: Mutex<Vec<(Protocol, Socket)>>,
    kept: Kept,
    own: Arc<Own>,
    doorman: Doorman,
    /// None: this process may not open one.
    announcer: Option<Announcer>,
}

/// The port ids of this process's latest sockets on the host: by them it knows its own changes from those of others.
#[derive(Debug, Default)]
pub(crate) struct Own(Mutex<VecDeque<u32>>);

/// Far more than are open at the same time.
const OWN: usize = 1024;

/// As many as calls usually run at the same time; more are closed after use.
const IDLE_SOCKETS: usize = 16;

impl Real {
    pub fn new(file: OwnedFd) -> Result<Self, Error> {
        let inode = namespace::inode(file.as_fd())?;
        let mut real = Self {
            file,
            inode,
            idle: Mutex::default(),
            kept: Kept::default(),
            own: Arc::default(),
            doorman: Doorman::default(),
            announcer: None,
        };
        if Announcer::of_process(inode).is_none() {
            real.announcer = real.within(Announcer::open).ok();
        }
        Ok(real)
    }

    /// Puts a frame on a link of the host's.
    pub fn send(&self, index: u32, frame: &[u8]) -> Result<(), Error> {
        let announcer = self.announcer.as_ref().or_else(|| Announcer::of_process(self.inode));
        let announcer = announcer.ok_or_else(|| Error::refused("this process has no socket for frames"))?;
        announcer.send(index, frame).map_err(|e| Error::system("announcing an address", e))
    }

    pub fn inode(&self) -> u64 {
        self.inode
    }

    pub fn own(&self) -> Arc<Own> {
        self.own.clone()
    }

    /// Does something inside, on this thread if it is there already.
    pub fn within<T: Send>(&self, action: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
        if namespace::is_current(self.inode) { action() } else { namespace::within(self.file.as_fd(), action) }
    }

    /// The sandboxes that operations keep.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Does something short inside a sandbox. `opens`: a socket for the messages to come is opened on the same way.
    fn visit<T: Send + 'static>(
        &self,
        at: &NamespacePath,
        file: &OwnedFd,
        opens: bool,
        action: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        if !opens {
            return self.doorman.within(file.as_fd(), self.file.as_fd(), action);
        }
        let both = || Ok((Socket::open(Protocol::Route).ok(), action()));
        let (socket, done) = self.doorman.within(file.as_fd(), self.file.as_fd(), both)?;
        self.kept.give_back(at, socket.map(|socket| (Protocol::Route, socket)));
        done
    }

    fn open(&self, at: &OwnedFd, protocol: Protocol) -> Result<Socket, Error> {
        self.doorman.within(at.as_fd(), self.file.as_fd(), move || Socket::open(protocol))
    }

    fn take(&self, protocol: Protocol) -> Result<Socket, Error> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(position) = idle.iter().position(|(p, _)| *p == protocol) {
            return Ok(idle.swap_remove(position).1);
        }
        drop(idle);
        let mut socket = match namespace::is_current(self.inode) {
            true => Socket::open(protocol),
            false => self.open(&self.file, protocol),
        }?;
        self.own.note(socket.bind()?);
        Ok(socket)
    }

    fn give_back(&self, sockets: impl Iterator<Item = (Protocol, Socket)>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(sockets);
        idle.truncate(IDLE_SOCKETS);
    }
}

impl Own {
    fn note(&self, port: u32) {
        let mut ports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ports.truncate(OWN - 1);
        ports.push_front(port);
    }

    /// Whether a port id is one of them.
    pub fn has(&self, port: u32) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&port)
    }
}

/// One namespace during one call.
struct Space {
    namespace: Namespace,
    /// None: the host's.
    file: Option<Arc<OwnedFd>>,
    sockets: Vec<(Protocol, Socket)>,
}

/// See the module.
pub(crate) struct Session<'h> {
    host: &'h Host,
    /// Of a fake, none: it keeps nothing open.
    spaces: Vec<Space>,
    known: Option<&'h KnownLinks>,
}

impl<'h> Session<'h> {
    pub fn new(host: &'h Host) -> Self {
        Self { host, spaces: Vec::new(), known: None }
    }

    /// One of an operation that knows some links, and learns more.
    pub fn knowing(host: &'h Host, known: &'h KnownLinks) -> Self {
        Self { host, spaces: Vec::new(), known: Some(known) }
    }

    /// The answer to a question for a link, if the operation knows it.
    pub fn known_link(&self, at: &Namespace, question: &Request) -> Option<Answer> {
        self.known?.answer(at, question)
    }

    /// The kernel that it is a way into.
    pub fn host(&self) -> &'h Host {
        self.host
    }

    /// Sends requests, together as far as they fit; one answer to each.
    pub fn exchange(&mut self, at: &Namespace, requests: &[Request]) -> Result<Vec<Answer>, Error> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.exchange_with(at, Protocol::Route, requests);
        if let Some(known) = self.known {
            // Of some, nobody may have heard what became of them.
            known.note(at, requests, answers.as_deref().unwrap_or_default());
        }
        answers
    }

    /// The same for questions, without those of which the operation knows the answer.
    pub fn exchange_unknown(&mut self, at: &Namespace, questions: &[Request]) -> Result<Vec<Answer>, Error> {
        let known: Vec<Option<Answer>> = questions.iter().map(|question| self.known_link(at, question)).collect();
        let unknown = questions.iter().zip(&known).filter(|(_, known)| known.is_none());
        let asked: Vec<Request> = unknown.map(|(question, _)| question.clone()).collect();
        let mut answers = self.exchange(at, &asked)?.into_iter();
        known.into_iter().map(|known| known.or_else(|| answers.next()).ok_or_else(malformed)).collect()
    }

    /// Sends requests over another protocol.
    pub fn exchange_with(
        &mut self,
        at: &Namespace,
        with: Protocol,
        requests: &[Request],
    ) -> Result<Vec<Answer>, Error> {
        match self.host {
            Host::Real(real) => self.using(real, at, with, |socket| socket.exchange(requests)),
            Host::Fake(fake) => fake.exchange(at, with, requests),
        }
    }

    /// Sends requests in one datagram, as an nftables transaction needs it.
    pub fn datagram(&mut self, at: &Namespace, with: Protocol, requests: &[Request]) -> Result<Vec<Answer>, Error> {
        match self.host {
            Host::Real(real) => self.using(real, at, with, |socket| socket.datagram(requests)),
            Host::Fake(fake) => fake.exchange(at, with, requests),
        }
    }

    /// Asks one question, which may be a dump.
    pub fn ask(&mut self, at: &Namespace, protocol: Protocol, request: Request) -> Result<Answer, Error> {
        match self.host {
            Host::Real(real) => self.using(real, at, protocol, |socket| socket.ask(request)),
            Host::Fake(fake) => fake.ask(at, protocol, &request),
        }
    }

    /// A dump's messages; none where the kernel says that what was asked about isn't there.
    pub fn list(&mut self, at: &Namespace, what: &str, request: Request) -> Result<Vec<Message>, Error> {
        use rustix::io::Errno;
        match self.ask(at, Protocol::Route, request)? {
            Ok(messages) => Ok(messages),
            Err(refusal) if refusal.is(&[Errno::NODEV, Errno::NOENT]) => Ok(Vec::new()),
            Err(refusal) => Err(Error::kernel(format_args!("listing {what}"), &refusal)),
        }
    }

    /// A descriptor of a namespace, good as long as the session, for IFLA_NET_NS_FD.
    pub fn descriptor(&mut self, at: &Namespace) -> Result<RawFd, Error> {
        match self.host {
            Host::Real(real) => {
                let position = self.space(real, at)?;
                Ok(self.spaces[position].file.as_deref().unwrap_or(&real.file).as_raw_fd())
            }
            Host::Fake(fake) => fake.descriptor(at),
        }
    }

    /// Does something short on a thread inside a namespace of the real kernel.
    pub fn within<T: Send + 'static>(
        &mut self,
        real: &Real,
        at: &Namespace,
        action: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let position = self.space(real, at)?;
        let space = &self.spaces[position];
        match (at, &space.file) {
            (Namespace::At(at), Some(file)) => {
                let has_one = space.sockets.iter().any(|(protocol, _)| *protocol == Protocol::Route);
                real.visit(at, file, !has_one && real.kept.wants(at, Protocol::Route), action)
            }
            _ => real.within(action),
        }
    }

    fn using<T>(
        &mut self,
        real: &Real,
        at: &Namespace,
        protocol: Protocol,
        action: impl FnOnce(&mut Socket) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let position = self.space(real, at)?;
        let space = &mut self.spaces[position];
        let known = space.sockets.iter().position(|(p, _)| *p == protocol);
        let mut socket = match (known, &space.file, at) {
            (Some(known), ..) => space.sockets.swap_remove(known).1,
            (None, Some(file), Namespace::At(at)) => {
                real.kept.take(at, protocol).map_or_else(|| real.open(file, protocol), Ok)?
            }
            (None, ..) => real.take(protocol)?,
        };
        // After an error answers may still be on their way: that socket is not used again.
        let result = action(&mut socket)?;
        space.sockets.push((protocol, socket));
        Ok(result)
    }

    fn space(&mut self, real: &Real, at: &Namespace) -> Result<usize, Error> {
        if let Some(position) = self.spaces.iter().position(|s| s.namespace == *at) {
            return Ok(position);
        }
        let file = match at {
            Namespace::Host => None,
            Namespace::At(path) => Some(real.kept.file(path)?),
        };
        self.spaces.push(Space { namespace: at.clone(), file, sockets: Vec::new() });
        Ok(self.spaces.len() - 1)
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let real = match self.host {
            Host::Real(real) => real,
            Host::Fake(fake) => return fake.settle(),
        };
        for space in self.spaces.drain(..) {
            match &space.namespace {
                Namespace::Host => real.give_back(space.sockets.into_iter()),
                Namespace::At(at) => real.kept.give_back(at, space.sockets),
            }
        }
    }
}

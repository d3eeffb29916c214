//! Adding links: as few datagrams as their answers allow, and never a move into another namespace, which costs the kernel 30 ms.
//!
//! 1. To the namespace that makes the links: each link's message, and the question for it.
//! 2. Where a link is made into another namespace than that one: the question for it there.
//! 3. To each end's namespace, where there is something left: name, master, addresses, up, and the question for what it became.

use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::Errno;

use crate::change::plan::{Failed, Step};
use crate::link;
use crate::link::mark::Marks;
use crate::link::message::NewEnd;
use crate::link::read::{Seen, by_index, by_name};
use crate::transport::session::Session;
use crate::transport::socket::{Answer, Request, malformed};
use crate::{Applied, Change, Error, LinkChanges, LinkEnd, LinkKey, LinkKind, LinkName, LinkSpec, Namespace};
use crate::{NewLink, NewName, Outcome, ip};

/// The namespace whose socket the link's message goes to: where its parent is, or else its own.
pub(crate) fn maker(spec: &LinkSpec) -> &Namespace {
    match spec.kind {
        LinkKind::Bridge | LinkKind::Veth(_) | LinkKind::Dummy | LinkKind::Ifb => &spec.end.namespace,
        // The tunnel's packets, too, leave by the namespace that it was made from.
        LinkKind::Vxlan(_)
        | LinkKind::Macvlan { .. }
        | LinkKind::Macvtap { .. }
        | LinkKind::Ipvlan { .. }
        | LinkKind::Vlan { .. }
        | LinkKind::Wireguard { .. } => &Namespace::Host,
    }
}

/// Makes a link again that was there: on the host, of one end, with the index that it had, so that whatever goes by that still holds.
pub(crate) fn again(session: &mut Session, index: u32, spec: &LinkSpec, marks: Marks) -> Result<(), Error> {
    let mut link = Making::new(spec, marks);
    let first = NewEnd { end: &spec.end, name: link.name.clone(), namespace: None };
    let request = link::message::request(&first, &spec.kind, None, spec.end.up, Some(index), marks);
    let answers = session.exchange(&Namespace::Host, &[request, by_index(index)])?;
    let [made, found] = answers.as_slice() else { return Err(malformed()) };
    link.made(made, found, marks);
    match (link.failed, link.first) {
        (Some(error), _) => Err(error),
        (None, Some(_)) => Ok(()),
        (None, None) => Err(Error::refused(format!("the link {} is gone again", link.name))),
    }
}

/// A link on its way.
struct Making<'a> {
    spec: &'a LinkSpec,
    /// The name that the first end is made under.
    name: String,
    first: Option<Seen>,
    peer: Option<Seen>,
    failed: Option<Error>,
}

/// Adds links that have the same [`maker`].
pub(crate) fn add(session: &mut Session, specs: &[&LinkSpec], marks: Marks) -> Result<Vec<Step>, Error> {
    let mut links: Vec<Making> = specs.iter().map(|spec| Making::new(spec, marks)).collect();
    make(session, &mut links, marks)?;
    for link in &mut links {
        if let Err(error) = finish(session, link, marks) {
            link.failed.get_or_insert(error);
        }
    }
    Ok(links.into_iter().map(Making::conclude).collect())
}

/// The first datagram.
fn make(session: &mut Session, links: &mut [Making], marks: Marks) -> Result<(), Error> {
    let Some(at) = links.first().map(|l| maker(l.spec).clone()) else { return Ok(()) };
    let mut requests = Vec::with_capacity(3 * links.len());
    for link in links.iter_mut() {
        match link.request(session, marks) {
            Ok(request) => {
                requests.push(request);
                // Until the other end is up it has no carrier, and no such address.
                requests.extend(link.is_port().then(|| link::message::without_link_local(&link.name)));
                requests.push(by_name(&link.name));
            }
            // Its namespace is gone, say: that is its own failure and not the others'.
            Err(error) => link.failed = Some(error),
        }
    }
    let answers = session.exchange(&at, &requests)?;
    let mut rest = answers.as_slice();
    for link in links.iter_mut().filter(|link| link.failed.is_none()) {
        // A kernel without IPv6 says no to the one between.
        let (own, others) = rest.split_at_checked(2 + usize::from(link.is_port())).ok_or_else(malformed)?;
        let (Some(made), Some(found)) = (own.first(), own.last()) else { return Err(malformed()) };
        link.made(made, found, marks);
        rest = others;
    }
    Ok(())
}

/// The datagrams after the first.
fn finish(session: &mut Session, link: &mut Making, marks: Marks) -> Result<(), Error> {
    if link.failed.is_some() {
        return Ok(());
    }
    let end = &link.spec.end;
    if maker(link.spec) != &end.namespace {
        link.first = link::read::get(session, &end.namespace, by_name(&link.name), marks)?;
    }
    let first = link.first.as_ref().ok_or_else(|| Error::refused(format!("the new link {} is gone", link.name)))?;
    let peer = match (&link.spec.kind, first.info.parent) {
        (LinkKind::Veth(peer), Some(index)) => Some((peer, index)),
        (LinkKind::Veth(_), None) => return Err(malformed()),
        _ => None,
    };
    if let LinkKind::Wireguard { port } = link.spec.kind {
        link::wireguard::prepare(session, &end.namespace, first.info.index, port)?;
    }
    let rest = rest(first.info.index, end, true, link.spec.comes_up_at_once(), marks);
    if rest.len() > 1 {
        link.first = Some(settle(session, &end.namespace, &rest, marks)?);
    }
    if let Some((end, index)) = peer {
        link.peer = Some(settle(session, &end.namespace, &self::rest(index, end, false, false, marks), marks)?);
    }
    Ok(())
}

/// What is left to do for an end once its index is known, and the question for what it became. `is_up`: it was made so.
fn rest(index: u32, end: &LinkEnd, first: bool, is_up: bool, marks: Marks) -> Vec<Request> {
    let named = matches!(end.name, NewName::Exact(_));
    let mut requests = Vec::new();
    let before = LinkChanges {
        name: (first && !named).then(|| end.name.clone()),
        master: end.master.filter(|_| !first),
        ..LinkChanges::default()
    };
    requests.extend(link::set::requests(index, &before));
    requests.extend(end.addresses.iter().map(|a| ip::address::new(index, *a, marks)));
    if end.up && !is_up {
        requests.extend(link::set::requests(index, &LinkChanges { up: Some(true), ..LinkChanges::default() }));
    }
    requests.push(by_index(index));
    requests
}

/// Sends what is left of an end; the last answer is the link.
fn settle(session: &mut Session, at: &Namespace, requests: &[Request], marks: Marks) -> Result<Seen, Error> {
    let answers = session.exchange(at, requests)?;
    let (last, before) = answers.split_last().ok_or_else(malformed)?;
    if let Some(refusal) = before.iter().find_map(|a| a.as_ref().err()) {
        return Err(Error::kernel("setting it up", refusal));
    }
    link::read::seen(last, marks)?.ok_or_else(|| Error::refused("the new link is gone"))
}

impl<'a> Making<'a> {
    fn new(spec: &'a LinkSpec, marks: Marks) -> Self {
        let name = match &spec.end.name {
            NewName::Exact(name) => name.to_string(),
            // The answer to "which number did it get?" needs a name to ask by: it is renamed once its index is known.
            NewName::Prefix(_) => passing_name(marks),
        };
        Self { spec, name, first: None, peer: None, failed: None }
    }

    /// Whether the first end of a pair begins as a bridge's port.
    fn is_port(&self) -> bool {
        matches!(self.spec.kind, LinkKind::Veth(_)) && self.spec.end.master.is_some()
    }

    fn request(&self, session: &mut Session, marks: Marks) -> Result<Request, Error> {
        let at = maker(self.spec);
        let mut new = |end: &'a LinkEnd, name: String| {
            let namespace = if end.namespace == *at { None } else { Some(session.descriptor(&end.namespace)?) };
            Ok::<_, Error>(NewEnd { end, name, namespace })
        };
        let first = new(&self.spec.end, self.name.clone())?;
        let peer = match &self.spec.kind {
            LinkKind::Veth(peer) => Some(new(peer, link::set::pattern(&peer.name))?),
            _ => None,
        };
        let up = self.spec.comes_up_at_once();
        Ok(link::message::request(&first, &self.spec.kind, peer.as_ref(), up, None, marks))
    }

    fn made(&mut self, made: &Answer, found: &Answer, marks: Marks) {
        match made {
            Err(refusal) if refusal.is(&[Errno::OPNOTSUPP]) => {
                let kind = self.spec.kind.name();
                let mut error = Error::kernel(format_args!("this kernel has no {kind} links"), refusal);
                error.message = format!("{}: {}", Change::AddLink(self.spec.clone()), error.message);
                self.failed = Some(error);
            }
            Err(refusal) => self.failed = Some(Error::kernel(Change::AddLink(self.spec.clone()), refusal)),
            Ok(_) if maker(self.spec) != &self.spec.end.namespace => {}
            Ok(_) => match link::read::seen(found, marks) {
                Ok(seen) => self.first = seen,
                Err(error) => self.failed = Some(error),
            },
        }
    }

    fn conclude(self) -> Step {
        let made = self
            .first
            .as_ref()
            .map(|seen| LinkKey { namespace: self.spec.end.namespace.clone(), index: seen.info.index });
        let undo: Vec<Change> = made.map(Change::RemoveLink).into_iter().collect();
        if let Some(mut error) = self.failed {
            let doing = Change::AddLink(self.spec.clone()).to_string();
            if !error.message.starts_with(&doing) {
                error.message = format!("{doing}: {}", error.message);
            }
            return Err(Failed { error, undo });
        }
        let peer_at = if let LinkKind::Veth(peer) = &self.spec.kind { &peer.namespace } else { &Namespace::Host };
        let first = self.first.as_ref().ok_or_else(malformed).and_then(|seen| new_link(seen, &self.spec.end.namespace));
        let peer = self.peer.as_ref().map(|seen| new_link(seen, peer_at)).transpose();
        match (first, peer) {
            (Ok(first), Ok(peer)) => Ok(Applied { outcome: Outcome::Link(first, peer), undo }),
            (Err(error), _) | (_, Err(error)) => Err(Failed { error, undo }),
        }
    }
}

fn new_link(seen: &Seen, at: &Namespace) -> Result<NewLink, Error> {
    let key = LinkKey { namespace: at.clone(), index: seen.info.index };
    Ok(NewLink { key, name: LinkName::new(&seen.info.name)?, mac: seen.info.mac })
}

impl LinkSpec {
    /// Whether the message that makes it sets it up: nothing has to be done before.
    fn comes_up_at_once(&self) -> bool {
        let is_ready = !matches!(self.kind, LinkKind::Wireguard { .. });
        self.end.up && is_ready && matches!(self.end.name, NewName::Exact(_))
    }
}

/// A name that nothing else has: 15 characters with the instance's id and a number that starts at random.
fn passing_name(marks: Marks) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    if NEXT.load(Ordering::Relaxed) == 0 {
        let mut random = [0; 4];
        let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
        let _ = NEXT.compare_exchange(0, u32::from_ne_bytes(random), Ordering::Relaxed, Ordering::Relaxed);
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed) & 0x0fff_ffff;
    format!("pt{:06x}{number:07x}", marks.instance())
}

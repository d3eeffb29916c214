//! Deleting in two steps: links are taken out of the way now, in well under a millisecond, and deleted as one group later.
//!
//! Deleting a link waits for grace periods of the kernel, 22-35 ms whoever asks and however many there are in one group. A condemned link is
//! down, without master, addresses and routes, and has another name: what it held can be used again at once. Only pairs and bridges may
//! wait: a vxlan would keep its network identifier, a macvlan its parent.

use netlink_packet_route::link::{LinkAttribute, LinkFlags};
use rustix::io::Errno;

use crate::link;
use crate::link::mark::Marks;
use crate::link::read::{Seen, by_index};
use crate::link::set::{RTM_DELLINK, RTM_SETLINK, message, own};
use crate::transport::session::Session;
use crate::transport::socket::{Answer, Request};
use crate::{Error, LinkChanges, LinkKey, LinkName, Mark, Namespace, NewName, ip};

/// The links of one namespace.
type Place = (Namespace, Vec<Seen>);

/// Takes links out of the way. The other end of a pair comes along if it is in the same namespace; one in another namespace must be in the
/// list as well, or the pair is deleted here.
pub(crate) fn condemn(session: &mut Session, links: &[LinkKey], marks: Marks) -> Result<(), Error> {
    let mut places = look(session, links, marks)?;
    let all: Vec<(Namespace, Seen)> =
        places.iter().flat_map(|(at, seen)| seen.iter().map(|s| (at.clone(), s.clone()))).collect();
    for (at, seen) in &mut places {
        other_ends(session, at, seen, marks)?;
        let (waiting, doomed): (Vec<Seen>, Vec<Seen>) = seen.drain(..).partition(|s| may_wait(at, s, &all));
        put_away(session, at, &waiting, marks)?;
        delete(session, at, &doomed, marks)?;
    }
    Ok(())
}

/// Deletes a namespace's condemned links; answers how many there were.
pub(crate) fn reap(session: &mut Session, at: &Namespace, marks: Marks) -> Result<usize, Error> {
    let links = link::read::all(session, at, marks)?;
    let count = links.iter().filter(|l| l.info.mark == Mark::Condemned).count();
    if count > 0 {
        delete_group(session, at, marks)?;
    }
    Ok(count)
}

/// What is there of the links, by namespace. A foreign one is refused before anything is done.
fn look(session: &mut Session, links: &[LinkKey], marks: Marks) -> Result<Vec<Place>, Error> {
    let mut places: Vec<Place> = Vec::new();
    for key in links {
        let found = match link::read::get(session, &key.namespace, by_index(key.index), marks) {
            Err(error) if crate::namespace::is_gone(&error) => None,
            found => found?,
        };
        let Some(seen) = found else { continue };
        own(key, &seen)?;
        match places.iter_mut().find(|(at, _)| *at == key.namespace) {
            Some((_, there)) if there.iter().any(|s| s.info.index == key.index) => {}
            Some((_, there)) => there.push(seen),
            None => places.push((key.namespace.clone(), vec![seen])),
        }
    }
    Ok(places)
}

/// Adds the other ends of pairs that are in the same namespace.
fn other_ends(session: &mut Session, at: &Namespace, links: &mut Vec<Seen>, marks: Marks) -> Result<(), Error> {
    let pairs = links.iter().filter(|l| l.info.kind == "veth" && !l.elsewhere);
    let ends: Vec<u32> = pairs.filter_map(|l| l.info.parent).collect();
    for index in ends {
        if links.iter().any(|l| l.info.index == index) {
            continue;
        }
        let end = link::read::get(session, at, by_index(index), marks)?;
        links.extend(end.filter(|end| end.info.mark != Mark::Foreign));
    }
    Ok(())
}

/// A bridge, or a pair of which the other end doesn't stay behind under its name.
fn may_wait(at: &Namespace, link: &Seen, all: &[(Namespace, Seen)]) -> bool {
    let other = |(there, other): &(Namespace, Seen)| {
        there != at && other.info.parent == Some(link.info.index) && link.info.parent == Some(other.info.index)
    };
    match link.info.kind.as_str() {
        "bridge" => true,
        "veth" => !link.elsewhere || all.iter().any(other),
        _ => false,
    }
}

/// Down, no master, no addresses, another name, the other group.
fn put_away(session: &mut Session, at: &Namespace, links: &[Seen], marks: Marks) -> Result<(), Error> {
    let mut requests = Vec::new();
    for link in links {
        let index = link.info.index;
        let mut down = message(index);
        down.header.change_mask = LinkFlags::Up;
        down.attributes.push(LinkAttribute::Group(marks.condemned()));
        down.attributes.extend(link.info.master.map(|_| LinkAttribute::Controller(0)));
        requests.push(Request::one(RTM_SETLINK, 0, &down));
        // In a message of its own, because kernels before 6.2 rename only what is down already.
        let name = Some(NewName::Exact(LinkName::new(&format!("pc{index:x}"))?));
        requests.extend(link::set::requests(index, &LinkChanges { name, ..LinkChanges::default() }));
        let addresses = ip::address::list(session, at, index)?;
        requests.extend(addresses.into_iter().map(|(_, a)| ip::address::delete(index, a)));
    }
    let answers = session.exchange(at, &requests)?;
    // Going down removes IPv6 addresses, so some of those that were listed are gone by the time their turn comes.
    check(&answers, &[Errno::NODEV, Errno::ADDRNOTAVAIL], "putting links away")
}

fn delete(session: &mut Session, at: &Namespace, links: &[Seen], marks: Marks) -> Result<(), Error> {
    if links.is_empty() {
        return Ok(());
    }
    let requests = links.iter().map(|link| {
        let mut mark = message(link.info.index);
        mark.attributes.push(LinkAttribute::Group(marks.condemned()));
        Request::one(RTM_SETLINK, 0, &mark)
    });
    let answers = session.exchange(at, &requests.collect::<Vec<_>>())?;
    check(&answers, &[Errno::NODEV], "marking links for deletion")?;
    delete_group(session, at, marks)
}

fn delete_group(session: &mut Session, at: &Namespace, marks: Marks) -> Result<(), Error> {
    let mut group = message(0);
    group.attributes.push(LinkAttribute::Group(marks.condemned()));
    let answers = session.exchange(at, &[Request::one(RTM_DELLINK, 0, &group)])?;
    check(&answers, &[Errno::NODEV], "deleting condemned links")
}

fn check(answers: &[Answer], fine: &[Errno], doing: &str) -> Result<(), Error> {
    let refused = answers.iter().filter_map(|a| a.as_ref().err()).find(|refusal| !refusal.is(fine));
    refused.map_or(Ok(()), |refusal| Err(Error::kernel(doing, refusal)))
}

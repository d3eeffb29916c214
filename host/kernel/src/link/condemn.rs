//! Deleting in two steps: links are taken out of the way now, in well under a millisecond, and deleted in groups later.
//!
//! Deleting a link waits for grace periods of the kernel, 22-35 ms whoever asks and however many there are in one group. A condemned link is
//! down, without master, addresses and routes, and has another name: what it held can be used again at once. Only pairs and bridges may
//! wait: a vxlan would keep its network identifier, a macvlan its parent.
//!
//! Meanwhile the kernel holds its one lock for the links of all namespaces, so that nobody else on the machine can add or change one. A group
//! has so few links that it is held for about 150 ms, and after a group comes a pause as long.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::repeat_n;
use std::time::Instant;

use ipnet::IpNet;
use netlink_packet_route::link::{LinkAttribute, LinkFlags};
use rustix::io::Errno;

use crate::link;
use crate::link::mark::Marks;
use crate::link::read::{Seen, by_index};
use crate::link::set::{RTM_DELLINK, RTM_SETLINK, made, message};
use crate::transport::session::Session;
use crate::transport::socket::{Answer, Request};
use crate::{Error, LinkChanges, LinkKey, LinkName, Mark, Namespace, NewName, ip};

/// Links whose addresses are asked for one by one, beside a host's thousands.
const FEW: usize = 8;

/// How many IPv4 addresses are taken from a link at once: few have more than one, and another time shows that there is none left.
const IPV4: usize = 2;

/// What a group may cost, in units of some 0.3 ms.
const GROUP: usize = 512;

/// What deleting a bridge costs the kernel, in the same units: measured with Linux 6.18, 17 ms for each of a group.
const BRIDGE: usize = 60;

/// The links of one namespace.
type Place = (Namespace, Vec<Seen>);

/// Takes links out of the way. The other end of a pair comes along if it is in the same namespace; one in another namespace must be in the
/// list as well, or the pair is deleted here. Answers what is to be deleted, of a pair one end: each with the number of links that this is.
pub(crate) fn condemn(session: &mut Session, links: &[LinkKey], marks: Marks) -> Result<Vec<(LinkKey, u64)>, Error> {
    let mut places = look(session, links, marks)?;
    let mut left = Vec::new();
    // Each link's other end, by index: where both are, and which has which.
    let all: BTreeSet<(u32, u32, Namespace)> = places
        .iter()
        .flat_map(|(at, seen)| seen.iter().filter_map(|s| Some((s.info.index, s.info.parent?, at.clone()))))
        .collect();
    for (at, seen) in &mut places {
        other_ends(session, at, seen, marks)?;
        let (waiting, doomed): (Vec<Seen>, Vec<Seen>) = seen.drain(..).partition(|s| may_wait(at, s, &all));
        put_away(session, at, &waiting, marks)?;
        delete(session, at, &doomed, marks)?;
        let here: BTreeSet<u32> = waiting.iter().map(|link| link.info.index).collect();
        let counted = waiting.iter().map(|link| (link.info.index, goes_with(at, link, &here, &all)));
        let counted = counted.filter(|(_, count)| *count > 0);
        left.extend(counted.map(|(index, count)| (LinkKey { namespace: at.clone(), index }, count)));
    }
    Ok(left)
}

/// How many links go with one that waits; none where it goes with its other end, which waits, too.
fn goes_with(at: &Namespace, link: &Seen, here: &BTreeSet<u32>, all: &BTreeSet<(u32, u32, Namespace)>) -> u64 {
    let index = link.info.index;
    let Some(other) = link.info.parent.filter(|_| link.info.kind == "veth") else { return 1 };
    let is_first = match link.elsewhere {
        false if !here.contains(&other) => return 1,
        false => index < other,
        true => !all.range((other, index, Namespace::Host)..(other, index, at.clone())).any(|_| true),
    };
    if is_first { 2 } else { 0 }
}

/// Deletes all condemned links of a namespace as one group, whoever condemned them: for whoever knows that there are few.
pub(crate) fn reap_few(session: &mut Session, at: &Namespace, marks: Marks) -> Result<(), Error> {
    let answers = session.exchange(at, &[delete_all(marks.condemned())])?;
    check(&answers, &[Errno::NODEV], "deleting condemned links")
}

/// Deletes a namespace's condemned links; answers how many there were.
pub(crate) fn reap(session: &mut Session, at: &Namespace, marks: Marks) -> Result<usize, Error> {
    let links = link::read::all(session, at, marks)?;
    reaped(session, at, links, marks)
}

/// The same for those of these indexes.
pub(crate) fn reap_these(session: &mut Session, at: &Namespace, indexes: &[u32], marks: Marks) -> Result<usize, Error> {
    let questions: Vec<Request> = indexes.iter().copied().map(by_index).collect();
    let answers = session.exchange(at, &questions)?;
    let seen = answers.iter().filter_map(|answer| link::read::seen(answer, marks).transpose());
    let links = seen.collect::<Result<_, _>>()?;
    reaped(session, at, links, marks)
}

fn reaped(session: &mut Session, at: &Namespace, mut links: Vec<Seen>, marks: Marks) -> Result<usize, Error> {
    links.retain(|link| link.info.mark == Mark::Condemned);
    delete(session, at, &links, marks)?;
    Ok(links.len())
}

/// Deletes all links of this instance in a namespace that nobody uses any more, where the kernel would delete them as one group.
pub(crate) fn empty(session: &mut Session, at: &Namespace, marks: Marks) -> Result<(), Error> {
    let mut links = link::read::all(session, at, marks)?;
    links.retain(|link| link.info.mark.is_made());
    delete(session, at, &links, marks)
}

/// What is there of the links, by namespace. A foreign one is refused before anything is done.
fn look(session: &mut Session, links: &[LinkKey], marks: Marks) -> Result<Vec<Place>, Error> {
    let mut by_place: BTreeMap<&Namespace, BTreeSet<&LinkKey>> = BTreeMap::new();
    for key in links {
        by_place.entry(&key.namespace).or_default().insert(key);
    }
    let mut places: Vec<Place> = Vec::new();
    for (at, keys) in by_place {
        let questions: Vec<Request> = keys.iter().map(|key| by_index(key.index)).collect();
        let answers = match session.exchange_unknown(at, &questions) {
            Err(error) if crate::namespace::is_gone(&error) => continue,
            answers => answers?,
        };
        let mut there = Vec::new();
        for (key, answer) in keys.into_iter().zip(&answers) {
            let Some(seen) = link::read::seen(answer, marks)? else { continue };
            made(key, &seen)?;
            there.push(seen);
        }
        places.push((at.clone(), there));
    }
    Ok(places)
}

/// Adds the other ends of pairs that are in the same namespace.
fn other_ends(session: &mut Session, at: &Namespace, links: &mut Vec<Seen>, marks: Marks) -> Result<(), Error> {
    let pairs = links.iter().filter(|l| l.info.kind == "veth" && !l.elsewhere);
    let there: BTreeSet<u32> = links.iter().map(|l| l.info.index).collect();
    let ends: BTreeSet<u32> = pairs.filter_map(|l| l.info.parent).filter(|end| !there.contains(end)).collect();
    let questions: Vec<Request> = ends.into_iter().map(by_index).collect();
    for answer in session.exchange(at, &questions)? {
        links.extend(link::read::seen(&answer, marks)?.filter(|end| end.info.mark.is_made()));
    }
    Ok(())
}

/// A bridge, or a pair of which the other end doesn't stay behind under its name.
fn may_wait(at: &Namespace, link: &Seen, all: &BTreeSet<(u32, u32, Namespace)>) -> bool {
    let has_other = || {
        let Some(other) = link.info.parent else { return false };
        let others = all.range((other, link.info.index, Namespace::Host)..);
        others.take_while(|(index, end, _)| (*index, *end) == (other, link.info.index)).any(|(.., there)| there != at)
    };
    match link.info.kind.as_str() {
        "bridge" => true,
        "veth" => !link.elsewhere || has_other(),
        _ => false,
    }
}

/// Down, no master, no addresses, another name, the other group.
fn put_away(session: &mut Session, at: &Namespace, links: &[Seen], marks: Marks) -> Result<(), Error> {
    let mut requests = Vec::new();
    // One that goes down loses its IPv6 addresses then. (Where `keep_addr_on_down` is set they stay, which keeps no other link from having them.)
    let down: Vec<u32> = links.iter().filter(|link| !link.info.up).map(|link| link.info.index).collect();
    let addresses = addresses(session, at, &down)?;
    let is_ipv6 = |(_, address): &&(u32, IpNet)| address.addr().is_ipv6();
    requests.extend(addresses.iter().filter(is_ipv6).map(|(index, address)| ip::address::delete(*index, *address)));
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
    }
    let mut without_ipv4 = requests.len();
    let mut left: Vec<u32> = links.iter().map(|link| link.info.index).collect();
    // Nobody need know a link's IPv4 addresses: the kernel takes away the first one, until there is none.
    while !left.is_empty() || !requests.is_empty() {
        requests.extend(left.iter().flat_map(|index| repeat_n(ip::address::delete_first_ipv4(*index), IPV4)));
        let answers = session.exchange(at, &requests)?;
        check(&answers, &[Errno::NODEV, Errno::ADDRNOTAVAIL], "putting links away")?;
        let rest = answers.get(without_ipv4..).unwrap_or_default().chunks(IPV4);
        left = left
            .into_iter()
            .zip(rest)
            .filter(|(_, all)| all.iter().all(Result::is_ok))
            .map(|(index, _)| index)
            .collect();
        (requests, without_ipv4) = (Vec::new(), 0);
    }
    Ok(())
}

/// The addresses of some links: asked for one by one where there are few, or else all at once.
fn addresses(session: &mut Session, at: &Namespace, links: &[u32]) -> Result<Vec<(u32, IpNet)>, Error> {
    let mut found = Vec::new();
    for index in if links.len() > FEW { &[0] } else { links } {
        found.extend(ip::address::list(session, at, *index)?);
    }
    found.retain(|(index, _)| links.contains(index));
    Ok(found)
}

fn delete(session: &mut Session, at: &Namespace, links: &[Seen], marks: Marks) -> Result<(), Error> {
    if links.is_empty() {
        return Ok(());
    }
    let mut left = links;
    loop {
        let (begin, (group, later)) = (Instant::now(), left.split_at(group(left)));
        delete_group(session, at, group, marks)?;
        if later.is_empty() {
            return Ok(());
        }
        // Each message of others waits for the lock. Without a pause they would have it for one message between two groups.
        std::thread::sleep(begin.elapsed());
        left = later;
    }
}

/// How many of the links, from the first on, are one group.
fn group(links: &[Seen]) -> usize {
    let cost = |link: &Seen| if link.info.kind == "bridge" { BRIDGE } else { 1 };
    let sums = links.iter().scan(0, |sum, link| {
        *sum += cost(link);
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= GROUP).count().max(1)
}

fn delete_group(session: &mut Session, at: &Namespace, links: &[Seen], marks: Marks) -> Result<(), Error> {
    let mark = |link: &Seen| {
        let mut mark = message(link.info.index);
        mark.attributes.push(LinkAttribute::Group(marks.dying()));
        Request::one(RTM_SETLINK, 0, &mark)
    };
    let mut requests: Vec<Request> = links.iter().map(mark).collect();
    requests.push(delete_all(marks.dying()));
    let answers = session.exchange(at, &requests)?;
    check(&answers, &[Errno::NODEV], "deleting condemned links")
}

/// The message that deletes all links of a group.
fn delete_all(group: u32) -> Request {
    let mut all = message(0);
    all.attributes.push(LinkAttribute::Group(group));
    Request::one(RTM_DELLINK, 0, &all)
}

fn check(answers: &[Answer], fine: &[Errno], doing: &str) -> Result<(), Error> {
    let refused = answers.iter().filter_map(|a| a.as_ref().err()).find(|refusal| !refusal.is(fine));
    refused.map_or(Ok(()), |refusal| Err(Error::kernel(doing, refusal)))
}

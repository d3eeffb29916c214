//! Links that lie on others. When the one below gets a smaller MTU, the kernel gives it to them, too; with a larger one they keep the smaller.
//! So what takes the first back has to say theirs.

use crate::change::plan::{LEAST_FOR_IPV6, Step, aside};
use crate::link::mark::Marks;
use crate::link::read::{Seen, all, by_index, known, seen};
use crate::transport::session::Session;
use crate::transport::socket::Answer;
use crate::{Change, Error, LinkChanges, LinkKey, LinkKind, LinkSpec, Namespace};

/// Kinds that follow what they lie on (NETDEV_CHANGEMTU in their drivers). A tunnel does not.
const FOLLOWERS: [&str; 3] = ["vlan", "macvlan", "ipvlan"];
/// It follows upwards, too (`ipvlan_adjust_mtu`).
const ALWAYS: &str = "ipvlan";

/// The link whose MTU, or whose bridge's, this change may make smaller.
pub(crate) fn shrinks(change: &Change) -> Option<&LinkKey> {
    match change {
        Change::SetLink(key, LinkChanges { mtu: Some(_), .. })
        | Change::SetLink(key, LinkChanges { master: Some(1..), .. }) => Some(key),
        _ => None,
    }
}

/// What brings back what lies on that link, or on the bridge that it is a port of. `known`: the link as it is before.
pub(crate) fn of_change(
    session: &mut Session,
    change: &Change,
    known: Option<&Answer>,
    marks: Marks,
) -> Result<Vec<Change>, Error> {
    let (Some(key), Change::SetLink(_, changes)) = (shrinks(change), change) else { return Ok(Vec::new()) };
    let Some(before) = known.map(|answer| seen(answer, marks)).transpose()?.flatten() else { return Ok(Vec::new()) };
    let mtu = changes.mtu.unwrap_or(before.info.mtu);
    let itself = changes.mtu.filter(|mtu| *mtu != before.info.mtu).map(|_| key.index);
    let below: Vec<u32> = itself.into_iter().chain(changes.master.filter(|master| *master != 0)).collect();
    above(session, &key.namespace, (itself, below), mtu, marks)
}

/// The same for a new port with an MTU of its own: a bridge has the least of its ports'.
pub(crate) fn of_new(session: &mut Session, spec: &LinkSpec, marks: Marks) -> Result<Vec<Change>, Error> {
    let peer = if let LinkKind::Veth(peer) = &spec.kind { Some(&**peer) } else { None };
    let mut found = Vec::new();
    for end in std::iter::once(&spec.end).chain(peer) {
        let (Some(master), Some(mtu)) = (end.master, end.mtu) else { continue };
        let bridge = known(session, &end.namespace, by_index(master), marks)?;
        if bridge.is_some_and(|bridge| bridge.info.mtu > mtu) {
            found.extend(above(session, &end.namespace, (None, vec![master]), mtu, marks)?);
        }
    }
    Ok(found)
}

/// Adds it to what undoes each step that was made.
pub(crate) fn add_to(steps: &mut [Step], above: Vec<Vec<Change>>) {
    for (step, above) in steps.iter_mut().zip(above) {
        let undo = match step {
            Ok(applied) => &mut applied.undo,
            Err(failed) => &mut failed.undo,
        };
        if !undo.is_empty() {
            undo.extend(above);
        }
    }
}

/// What this instance's links above these have, from the lowest up, in this namespace: where one has moved to, nobody can ask. One that gets too
/// small for IPv6 loses that, too, but of `itself` that is looked at elsewhere.
fn above(
    session: &mut Session,
    at: &Namespace,
    (itself, mut below): (Option<u32>, Vec<u32>),
    mtu: u32,
    marks: Marks,
) -> Result<Vec<Change>, Error> {
    let (mut found, mut next) = (Vec::new(), 0);
    let all = if below.is_empty() { Vec::new() } else { all(session, at, marks)? };
    while let Some(index) = below.get(next).copied() {
        next += 1;
        for Seen { info, elsewhere, .. } in &all {
            if info.index == index {
                // A bridge follows its ports by itself, and what lies on it does not.
                below.extend(info.master.filter(|master| !below.contains(master)));
                if info.kind == "bridge" && info.mark.is_made() && itself != Some(index) && mtu < LEAST_FOR_IPV6 {
                    found.extend(aside(session, &LinkKey { namespace: at.clone(), index }, marks)?);
                }
            }
            let lies_on = !elsewhere && info.parent == Some(index) && FOLLOWERS.contains(&info.kind.as_str());
            let follows = info.mtu > mtu || info.kind == ALWAYS;
            if !lies_on || !follows || !info.mark.is_made() || below.contains(&info.index) {
                continue;
            }
            below.push(info.index);
            let key = LinkKey { namespace: at.clone(), index: info.index };
            let before = LinkChanges { mtu: Some(info.mtu), ..LinkChanges::default() };
            found.push(Change::SetLink(key.clone(), before));
            if mtu < LEAST_FOR_IPV6 {
                found.extend(aside(session, &key, marks)?);
            }
        }
    }
    Ok(found)
}

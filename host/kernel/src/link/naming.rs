//! The name of its own that a link of this instance has for policy rules (RTM_NEWLINKPROP with IFLA_ALT_IFNAME, Linux 5.5): see [`own_name`].

use netlink_packet_route::link::{LinkAttribute, Prop};
use rustix::io::Errno;

use crate::change::apply::Note;
use crate::link::mark::Marks;
use crate::link::read::{by_index, by_name, get};
use crate::link::set::{message, own};
use crate::transport::session::Session;
use crate::transport::socket::{Request, flag};
use crate::{Applied, Change, Error, LinkKey, Outcome, own_name};

pub(crate) const RTM_NEWLINKPROP: u16 = 108;
pub(crate) const RTM_DELLINKPROP: u16 = 109;

/// Gives it the name. Another link that has it would get the rules: that one came from another namespace, where it had this index.
pub(crate) fn add(session: &mut Session, key: &LinkKey, marks: Marks, note: Note) -> Result<Applied, Error> {
    let seen = get(session, &key.namespace, by_index(key.index), marks)?;
    own(key, &seen.ok_or_else(|| Error::refused(format!("{key} is gone")))?)?;
    match get(session, &key.namespace, by_name(own_name(key.index)?.as_str()), marks)? {
        Some(named) if named.info.index == key.index => Ok(Applied { outcome: Outcome::Done, undo: Vec::new() }),
        Some(named) => {
            let message =
                format!("{} has the name {}, which only {key} may have", named.info.name, own_name(key.index)?);
            Err(Error { message, errno: Some(Errno::EXIST.raw_os_error()) })
        }
        None => {
            let undo = vec![Change::RemoveOwnName(key.clone())];
            note(&undo)?;
            send(session, key, RTM_NEWLINKPROP, flag::CREATE | flag::EXCL)?;
            Ok(Applied { outcome: Outcome::Done, undo })
        }
    }
}

/// Takes the name from it.
pub(crate) fn remove(session: &mut Session, key: &LinkKey, marks: Marks) -> Result<Applied, Error> {
    let named = get(session, &key.namespace, by_name(own_name(key.index)?.as_str()), marks)?;
    if named.is_some_and(|named| named.info.index == key.index) {
        send(session, key, RTM_DELLINKPROP, 0)?;
    }
    Ok(Applied { outcome: Outcome::Done, undo: Vec::new() })
}

fn send(session: &mut Session, key: &LinkKey, kind: u16, flags: u16) -> Result<(), Error> {
    let mut link = message(key.index);
    link.attributes.push(LinkAttribute::PropList(vec![Prop::AltIfName(own_name(key.index)?.to_string())]));
    let answers = session.exchange(&key.namespace, &[Request::one(kind, flags, &link)])?;
    match answers.iter().find_map(|answer| answer.as_ref().err()) {
        Some(refusal) => Err(Error::kernel("the name for policy rules", refusal)),
        None => Ok(()),
    }
}

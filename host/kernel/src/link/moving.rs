//! Moving a link of this instance into another namespace (RTM_SETLINK with IFLA_NET_NS_FD). The kernel waits about 30 ms for it: a link that
//! is made where it is needed is there in half of one.

use netlink_packet_route::link::LinkAttribute;

use crate::link::mark::Marks;
use crate::link::read::{by_index, by_name, get};
use crate::link::set::{RTM_SETLINK, made, message};
use crate::transport::session::Session;
use crate::transport::socket::Request;
use crate::{Applied, Change, Error, LinkKey, LinkName, Namespace, NewLink, Outcome};

/// Moves it under its name, which must be free there. It arrives down, without addresses, perhaps with another index.
pub(crate) fn move_link(session: &mut Session, key: &LinkKey, to: &Namespace, marks: Marks) -> Result<Applied, Error> {
    let seen = get(session, &key.namespace, by_index(key.index), marks)?;
    let seen = seen.ok_or_else(|| Error::refused(format!("{key} is gone")))?;
    made(key, &seen)?;
    let name = LinkName::new(&seen.info.name)?;
    let mut request = message(key.index);
    request.attributes.push(LinkAttribute::NetNsFd(session.descriptor(to)?));
    let answers = session.exchange(&key.namespace, &[Request::one(RTM_SETLINK, 0, &request)])?;
    if let Some(refusal) = answers.iter().find_map(|a| a.as_ref().err()) {
        return Err(Error::kernel(format_args!("moving {name}"), refusal));
    }
    let arrived = get(session, to, by_name(name.as_str()), marks)?;
    let arrived = arrived.ok_or_else(|| Error::refused(format!("{name} did not arrive")))?;
    let there = LinkKey { namespace: to.clone(), index: arrived.info.index };
    let undo = vec![Change::MoveLink(there.clone(), key.namespace.clone())];
    Ok(Applied { outcome: Outcome::Link(NewLink { key: there, name, mac: arrived.info.mac }, None), undo })
}

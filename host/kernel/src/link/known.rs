//! What the kernel has said of links while one operation runs: it need not be asked again for what was just made, found or changed.
//!
//! Every answer about a link is kept until the operation itself changes a link beside it. What others change meanwhile is found where it
//! matters: the kernel refuses what is about a link that is gone. The index of one that is gone does not come again by itself, so a mark
//! that was seen holds for as long. How a link is doing (`running`) changes by itself, so whoever waits for that asks the kernel.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::change::apply::{self, Note};
use crate::link::condemn;
use crate::link::message::RTM_NEWLINK;
use crate::link::read::{self, HEADER, IFLA_IFNAME, RTM_GETLINK, by_index, by_name};
use crate::link::set::{RTM_DELLINK, RTM_SETLINK};
use crate::transport::attribute::{after, number, text};
use crate::transport::session::Session;
use crate::transport::socket::{Answer, Message, Request, flag};
use crate::{Applied, Change, Error, Kernel, LinkInfo, LinkKey, Namespace};
use words::LinkName;

/// See the module. One operation's, and no longer than that.
#[derive(Debug, Default)]
pub struct KnownLinks(Mutex<BTreeMap<LinkKey, Known>>);

#[derive(Debug)]
struct Known {
    /// The kernel's answer.
    message: Message,
    /// Whoever asks how the link is has had this answer.
    told: bool,
}

impl KnownLinks {
    /// A link, as it was when the kernel was asked last.
    pub fn link(&self, kernel: &Kernel, link: &LinkKey) -> Result<Option<LinkInfo>, Error> {
        let seen = read::known(&mut self.session(kernel), &link.namespace, by_index(link.index), kernel.marks)?;
        Ok(seen.map(|seen| seen.info))
    }

    /// The link of a name, as it was then.
    pub fn link_by_name(
        &self,
        kernel: &Kernel,
        namespace: &Namespace,
        name: &LinkName,
    ) -> Result<Option<LinkInfo>, Error> {
        let seen = read::known(&mut self.session(kernel), namespace, by_name(name.as_str()), kernel.marks)?;
        Ok(seen.map(|seen| seen.info))
    }

    /// The same as [`KnownLinks::link`] for whoever may wait for a change: one answer of the kernel is told once.
    pub fn look(&self, kernel: &Kernel, link: &LinkKey) -> Result<Option<LinkInfo>, Error> {
        if self.lock().get(link).is_some_and(|known| known.told) {
            self.lock().remove(link);
        }
        let seen = self.link(kernel, link)?;
        self.lock().get_mut(link).into_iter().for_each(|known| known.told = true);
        Ok(seen)
    }

    /// [`Kernel::apply`], for whoever must be able to take changes back in another life: `note` is told how, right before they are made, for those
    /// that carry no mark of this instance in the kernel. It may be told of some that are not made after all. Its error is theirs.
    /// What is not made by `deadline` is not made (ETIMEDOUT); it is looked at every few changes.
    pub fn apply(
        &self,
        kernel: &Kernel,
        changes: &[Change],
        deadline: Option<Instant>,
        note: Note,
    ) -> Result<Vec<Applied>, Error> {
        apply::apply(kernel, &mut self.session(kernel), changes, deadline, note)
    }

    /// [`Kernel::condemn`]
    pub fn condemn(&self, kernel: &Kernel, links: &[LinkKey]) -> Result<Vec<(LinkKey, u64)>, Error> {
        condemn::condemn(&mut self.session(kernel), links, kernel.marks)
    }

    /// Knows nothing any more.
    pub fn forget(&self) {
        self.lock().clear();
    }

    /// The answer to a question for a link, if it is known.
    pub(crate) fn answer(&self, at: &Namespace, question: &Request) -> Option<Answer> {
        let asked = index(&question.body).filter(|_| question.kind == RTM_GETLINK)?;
        let known = self.lock();
        let found = match asked {
            0 => {
                let name = after(&question.body, HEADER).ok()?.find(IFLA_IFNAME).ok()??;
                let is_named = |known: &Known| is_named(&known.message, &text(name));
                known.iter().find(|(key, known)| key.namespace == *at && is_named(known)).map(|(_, known)| known)
            }
            index => known.get(&LinkKey { namespace: at.clone(), index }),
        };
        found.map(|known| Ok(vec![known.message.clone()]))
    }

    /// Takes note of what was sent, and what the kernel said to it; without answers, of what may be otherwise now.
    pub(crate) fn note(&self, at: &Namespace, requests: &[Request], answers: &[Answer]) {
        let mut known = self.lock();
        for (position, request) in requests.iter().enumerate() {
            match request.kind {
                RTM_GETLINK if request.flags & flag::DUMP != flag::DUMP => {
                    let answer = answers.get(position).and_then(|answer| answer.as_ref().ok());
                    let Some(message) = answer.and_then(|messages| messages.first()) else { continue };
                    let Some(index) = index(&message.body) else { continue };
                    let key = LinkKey { namespace: at.clone(), index };
                    known.insert(key, Known { message: message.clone(), told: false });
                }
                // A bridge changes with its ports.
                RTM_NEWLINK | RTM_SETLINK => known.retain(|key, _| key.namespace != *at),
                // And the other end of a pair goes, wherever it is.
                RTM_DELLINK => known.clear(),
                _ => {}
            }
        }
    }

    fn session<'a>(&'a self, kernel: &'a Kernel) -> Session<'a> {
        Session::knowing(&kernel.host, self)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LinkKey, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// ifi_index.
fn index(body: &[u8]) -> Option<u32> {
    body.get(4..8).and_then(|bytes| number(bytes).ok())
}

fn is_named(message: &Message, name: &str) -> bool {
    let found = after(&message.body, HEADER).ok().and_then(|attributes| attributes.find(IFLA_IFNAME).ok().flatten());
    found.is_some_and(|found| text(found) == name)
}

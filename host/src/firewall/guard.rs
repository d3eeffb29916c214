//! The host's own table: what the links that forward must not reach, and what stays closed although the kernel forwards now.
//!
//! Pontoon switches forwarding on for its networks, and the kernel knows no switch for some links only. On a host that did not forward, nothing
//! that was not forwarded before is: the links that were there when Pontoon switched it on stay closed towards each other, as long as the
//! machine runs. (An operator who wants the host to forward has it switched on before Pontoon starts, as /etc/sysctl.d does.) And a link that
//! learnt its way out from a router's advertisements would forget it: the kernel takes these for hosts only, unless it is told otherwise.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::MutexGuard;

use serde::{Deserialize, Serialize};

use super::{CHANGES, Keeper};
use grant::gate::settings::switches;
use kernel::{
    Change, IptablesFamily, LinkInfo, Namespace, NftChain, NftCondition, NftHook, NftProperty, NftRule, NftVerdict,
    Sysctl,
};
use words::LinkName;

/// ct state: ESTABLISHED and RELATED.
const ANSWERS: u32 = 2 | 4;
/// The chain. A drop holds at any priority.
const GUARD: NftChain = NftChain { nat: false, hook: NftHook::Forward, priority: 0 };
/// Where the store keeps what stays closed.
const CLOSED: &str = "closed";
/// net.ipv6.conf.LINK.accept_ra: not where packets are forwarded; and there, too.
const AS_A_HOST: i32 = 1;
const ALWAYS: i32 = 2;

/// The links that stay closed towards each other, by index, for each family that Pontoon switched on since the machine booted.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Closed {
    /// The boot and the namespace.
    host: String,
    ipv4: Vec<u32>,
    ipv6: Vec<u32>,
}

impl Keeper {
    /// See [`Firewall::before_forwarding`](super::Firewall::before_forwarding).
    pub(super) fn before_forwarding(&self, family: IptablesFamily) -> words::Result<MutexGuard<'_, ()>> {
        let turn = self.hold_turn();
        let foreign = |link: &LinkInfo| !link.mark.is_made() && link.name != "lo";
        let links: Vec<_> = self.kernel.links(&Namespace::Host)?.into_iter().filter(foreign).collect();
        if family == IptablesFamily::Ipv6 {
            links.iter().try_for_each(|link| self.keep_learning(link.index))?;
        }
        let mut closed = self.closed()?.unwrap_or_default();
        closed.host = self.host()?;
        let indexes = links.iter().filter(|link| link.master.is_none()).map(|link| link.index);
        // One that forwards by a setting of its own goes on.
        let forwards = |index: &u32| {
            let sysctl = Sysctl::Link { family: "ipv4", index: *index, name: "forwarding" };
            family == IptablesFamily::Ipv4 && self.kernel.sysctl(&Namespace::Host, &sysctl).is_ok_and(|on| on != 0)
        };
        let indexes = indexes.filter(|index| !forwards(index)).collect();
        match family {
            IptablesFamily::Ipv4 => closed.ipv4 = indexes,
            IptablesFamily::Ipv6 => closed.ipv6 = indexes,
        }
        let text = serde_json::to_string(&closed).map_err(|e| words::Error::internal(e.to_string()))?;
        self.store.set_meta(CLOSED, &text)?;
        self.add_missing(&between(&closed, &self.tag))?;
        Ok(turn)
    }

    /// Routers' advertisements count for a link as they did. It can be gone by now, or have no IPv6.
    fn keep_learning(&self, index: u32) -> Result<(), kernel::Error> {
        let (namespace, sysctl) = (Namespace::Host, Sysctl::AcceptRa { index });
        if self.kernel.sysctl(&namespace, &sysctl).is_ok_and(|value| value == AS_A_HOST) {
            self.kernel.apply(&[Change::SetSysctl { namespace, sysctl, value: ALWAYS }])?;
        }
        Ok(())
    }

    /// Before a family is switched on again: what was closed.
    pub(super) fn keep_closed(&self, family: IptablesFamily) -> words::Result<()> {
        if self.is_off(family)
            && let Some(closed) = self.closed()?
        {
            self.add_missing(&between(&closed, &self.tag))?;
        }
        Ok(())
    }

    /// Whether the kernel forwards nothing of a family.
    fn is_off(&self, family: IptablesFamily) -> bool {
        let value = |path| self.kernel.sysctl(&Namespace::Host, &Sysctl::Namespace(path));
        switches(family).first().is_some_and(|path| value(path).is_ok_and(|value| value == 0))
    }

    fn closed(&self) -> words::Result<Option<Closed>> {
        let Some(text) = self.store.meta(CLOSED)? else { return Ok(None) };
        let closed = serde_json::from_str::<Closed>(&text).ok();
        let host = self.host()?;
        Ok(closed.filter(|closed| closed.host == host))
    }

    /// What stays closed now: nothing of a family that is not forwarded, because the call that switched it on was undone.
    fn still_closed(&self) -> words::Result<Vec<NftRule>> {
        let Some(mut closed) = self.closed()? else { return Ok(Vec::new()) };
        for (family, links) in [(IptablesFamily::Ipv4, &mut closed.ipv4), (IptablesFamily::Ipv6, &mut closed.ipv6)] {
            if self.is_off(family) {
                links.clear();
            }
        }
        Ok(between(&closed, &self.tag))
    }

    fn host(&self) -> Result<String, kernel::Error> {
        let identity = self.kernel.identity()?;
        Ok(format!("{}/{}", identity.boot, identity.namespace))
    }

    /// Adds what the host's own table lacks, and answers what takes away what it has too much. `protected`: the bridges that others keep
    /// from their neighbours.
    pub(super) fn guard(&self, protected: BTreeSet<String>) -> words::Result<Change> {
        let mut bridges = Vec::new();
        for name in protected {
            let Ok(name) = LinkName::new(&name) else { continue };
            let found = self.kernel.link_by_name(&Namespace::Host, &name)?;
            bridges.extend(found.filter(|link| link.kind == "bridge" && !link.mark.is_made()).map(|l| l.index));
        }
        let mut wanted = self.still_closed()?;
        if !bridges.is_empty() {
            wanted.push(self.away_from(bridges));
        }
        let there = self.add_missing(&wanted)?;
        let is_wanted = |comment: &String| wanted.iter().any(|rule| rule.comment == *comment);
        let rules = there.into_iter().filter(|(_, comment)| !is_wanted(comment)).map(|(handle, _)| handle).collect();
        let (namespace, table) = (Namespace::Host, self.table.clone());
        Ok(match wanted.is_empty() {
            true => Change::RemoveNftTable { namespace, table },
            false => Change::RemoveNftRules { namespace, table, rules },
        })
    }

    /// Answers what was there before.
    fn add_missing(&self, wanted: &[NftRule]) -> Result<Vec<(kernel::NftHandle, String)>, kernel::Error> {
        let there = self.kernel.nft_rules(&Namespace::Host, &self.table)?;
        let is_missing = |rule: &&NftRule| !there.iter().any(|(_, comment)| *comment == rule.comment);
        let missing: Vec<NftRule> = wanted.iter().filter(is_missing).cloned().collect();
        for rules in missing.chunks(CHANGES).map(<[NftRule]>::to_vec) {
            let (namespace, table) = (Namespace::Host, self.table.clone());
            self.kernel.apply(&[Change::AddNftRules { namespace, table, rules }])?;
        }
        Ok(there)
    }

    /// Drops what goes from this instance's links into somebody else's bridge.
    fn away_from(&self, bridges: Vec<u32>) -> NftRule {
        let comment = comment(&self.tag, "guard", &bridges);
        let conditions = vec![
            is(NftProperty::InputGroup(self.kernel.link_group())),
            is(NftProperty::OutputLinks(bridges)),
            not(NftProperty::Connection(ANSWERS)),
            not(NftProperty::DestinationTranslated),
        ];
        NftRule { chain: GUARD, conditions, statements: Vec::new(), verdict: NftVerdict::Drop, own: None, comment }
    }
}

/// Drops what goes from one closed link to another.
fn between(closed: &Closed, tag: &str) -> Vec<NftRule> {
    let everything = |ipv4| if ipv4 { ipnet::Ipv4Net::default().into() } else { ipnet::Ipv6Net::default().into() };
    let rule = |(ipv4, links): (bool, &Vec<u32>)| {
        let conditions = vec![
            is(NftProperty::Source(everything(ipv4))),
            is(NftProperty::InputLinks(links.clone())),
            is(NftProperty::OutputLinks(links.clone())),
        ];
        let comment = comment(tag, if ipv4 { "closed-4" } else { "closed-6" }, links);
        NftRule { chain: GUARD, conditions, statements: Vec::new(), verdict: NftVerdict::Drop, own: None, comment }
    };
    [(true, &closed.ipv4), (false, &closed.ipv6)].into_iter().filter(|(_, links)| !links.is_empty()).map(rule).collect()
}

/// The comment of a rule: by it, it is known again. Another set of links makes another rule.
fn comment(tag: &str, word: &str, links: &[u32]) -> String {
    let mut hasher = DefaultHasher::new();
    links.hash(&mut hasher);
    format!("{tag}{word}-{:016x}", hasher.finish())
}

fn is(property: NftProperty) -> NftCondition {
    NftCondition { property, negated: false }
}

fn not(property: NftProperty) -> NftCondition {
    NftCondition { property, negated: true }
}

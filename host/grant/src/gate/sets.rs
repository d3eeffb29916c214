//! `nftables`: sets, and what a rule may do beside its verdict.

use std::collections::BTreeMap;

use kernel::{
    Namespace, NftChain, NftElement, NftField, NftHook, NftMember, NftProperty, NftSetKind, NftStatement, NftVerdict,
};
use words::{Error, Id, Kind, Result};

use super::names::{NAME, is_word};
use super::{Gate, Granted, Object, Place, View};
use crate::{HostCall, Limit, MarkBits, Permission};

/// Elements of all sets of a network: a table that others flushed is put back in one transaction.
pub const ELEMENTS: usize = 8_192;
/// Rules of a network that write into the kernel's log, which all programs of the host share.
const LOGGING_RULES: usize = 8;
/// NF_IP_PRI_CONNTRACK: from then on a packet is in a connection.
const CONNECTION_TRACKING: i32 = -200;
/// Bytes of the driver's name in a log's prefix: the kernel takes 127 for all of it.
const DRIVER: usize = 80;

/// A set of the network's.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SeenSet {
    pub name: String,
    pub namespace: Namespace,
    pub kind: NftSetKind,
    /// Whose it is; none: the network's.
    pub endpoint: Option<Id>,
    pub elements: Vec<NftElement>,
    /// A rule looks into it.
    pub is_used: bool,
    /// This call removes it.
    pub is_removed: bool,
}

/// A set that is to be made.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NewSet {
    pub namespace: Namespace,
    pub table: String,
    pub name: String,
    pub kind: NftSetKind,
}

/// A set that goes, by its name.
#[derive(Clone, Debug)]
pub struct GoneSet(pub String);

/// Elements for a set.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NewElements {
    pub namespace: Namespace,
    pub table: String,
    pub set: String,
    pub elements: Vec<NftElement>,
}

/// Elements that go.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct GoneElements {
    pub set: String,
    pub elements: Vec<NftElement>,
}

impl Gate {
    /// `nftables.add-set`
    pub fn add_set(
        &self,
        view: &mut impl View,
        place: Option<&Place>,
        table: &str,
        name: String,
        kind: NftSetKind,
    ) -> Result<Granted<NewSet>> {
        let call = HostCall::NftablesAddSet;
        let namespace = self.namespace(call, place)?.take();
        // The kernel's own names begin with `_`.
        if !is_word(&name) || name.starts_with('_') {
            let why = format!("a set's name is 1 to {NAME} letters, digits, '-' or '_', with no '_' at its beginning");
            return Err(Error::invalid(why));
        }
        if let Some(set) = view.sets()?.iter().find(|set| set.name == name) {
            let when = if set.is_removed { "until this call is done, which removes it" } else { "already" };
            return Err(Error::exists(format!("the network has a set {name} {when}")));
        }
        self.check_holding(view, call, Limit::Sets, 1)?;
        self.grant(call, NewSet { namespace, table: table.to_owned(), name, kind })
    }

    /// `nftables.remove-set`
    pub fn remove_set(&self, view: &impl View, name: String) -> Result<Granted<GoneSet>> {
        let call = HostCall::NftablesRemoveSet;
        if view.sets()?.iter().any(|set| set.name == name && set.is_used) {
            return Err(self.refused(
                call,
                Kind::Forbidden,
                &format!("a rule looks into the set {name}: remove it first"),
            ));
        }
        self.grant(call, GoneSet(name))
    }

    /// `nftables.add-elements`
    pub fn add_elements(
        &self,
        view: &mut impl View,
        table: &str,
        name: String,
        elements: Vec<NftElement>,
    ) -> Result<Granted<NewElements>> {
        let call = HostCall::NftablesAddElements;
        let sets = view.sets()?;
        let set = there(&sets, &name)?;
        if let Some(other) = elements.iter().find(|element| element.kind() != set.kind) {
            return Err(Error::invalid(format!("{other:?} can't be in the set {name}, which is of {:?}", set.kind)));
        }
        let (held, namespace) = (sets.iter().map(|set| set.elements.len()).sum::<usize>(), set.namespace.clone());
        if held + elements.len() > ELEMENTS {
            let why = format!("the sets of a network have at most {ELEMENTS} elements; they have {held} already");
            return Err(self.refused(call, Kind::Unavailable, &why));
        }
        check_overlap(&set.elements, &elements)?;
        elements.iter().try_for_each(|element| self.check_value(view, *element))?;
        self.check_holding(view, call, Limit::SetElements, elements.len())?;
        self.grant(call, NewElements { namespace, table: table.to_owned(), set: name, elements })
    }

    /// `nftables.remove-elements`
    pub fn remove_elements(&self, set: String, elements: Vec<NftElement>) -> Result<Granted<GoneElements>> {
        self.grant(HostCall::NftablesRemoveElements, GoneElements { set, elements })
    }

    /// What a rule looks into: a set of the network's or of the same endpoint's, so that none goes before its rules.
    pub(super) fn member(
        &self,
        sets: &[SeenSet],
        namespace: &Namespace,
        field: NftField,
        name: String,
    ) -> Result<NftProperty> {
        let kind = self.kind_of(sets, namespace, &name)?;
        let of_ports = matches!(field, NftField::SourcePort | NftField::DestinationPort);
        if kind.is_map() || of_ports != (kind == NftSetKind::Ports) {
            return Err(Error::invalid(format!("{field:?} is not what the set {name} has: {kind:?}")));
        }
        Ok(NftProperty::Member(NftMember { field, set: name, kind }))
    }

    /// What is in a set that a rule may look into.
    pub(super) fn kind_of(&self, sets: &[SeenSet], namespace: &Namespace, name: &str) -> Result<NftSetKind> {
        let call = HostCall::NftablesAddPacketRules;
        let set = there(sets, name)?;
        if set.namespace != *namespace {
            return Err(Error::invalid(format!("the set {name} is in another namespace than the rule")));
        }
        if set.endpoint.is_some() && set.endpoint != self.about.endpoint {
            return Err(self.refused(call, Kind::Forbidden, &format!("the set {name} is another endpoint's")));
        }
        Ok(set.kind)
    }

    /// What needs a word of the grant's beside the hook, and what the kernel can't do there.
    pub(super) fn check_statements(&self, call: HostCall, chain: NftChain, statements: &[NftStatement]) -> Result<()> {
        for statement in statements {
            let fits = match statement {
                NftStatement::Counter | NftStatement::Limit(_) => true,
                NftStatement::SetMark { .. } | NftStatement::SetMarkBy { .. } => !chain.nat,
                NftStatement::ClampSegments(Some(_)) => !chain.nat,
                NftStatement::ClampSegments(None) => {
                    !chain.nat && matches!(chain.hook, NftHook::Forward | NftHook::Output | NftHook::Postrouting)
                }
                NftStatement::Untrack => {
                    let is_before = chain.priority < CONNECTION_TRACKING;
                    !chain.nat && is_before && matches!(chain.hook, NftHook::Prerouting | NftHook::Output)
                }
            };
            if !fits {
                let kind = if chain.nat { "nat" } else { "filter" };
                let NftChain { hook, priority, .. } = chain;
                return Err(Error::invalid(format!(
                    "{statement:?} can't stand in a {kind} chain at {hook:?} {priority}"
                )));
            }
            match statement {
                NftStatement::SetMark { mask, .. } | NftStatement::SetMarkBy { mask, .. } => {
                    self.permit(call, Object::MarkBits(MarkBits(*mask)))?;
                }
                NftStatement::Untrack => {
                    let why = "packets in no connection pass by what others say of connections";
                    self.permit(call, Object::Also(Permission::UntrackedPackets, why))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The rules that write a log, with those that there are; and whose log it is.
    pub(super) fn check_logs(&self, call: HostCall, view: &impl View, verdicts: Vec<&mut NftVerdict>) -> Result<()> {
        let mut more = 0;
        for verdict in verdicts {
            if let NftVerdict::Log { prefix, .. } = verdict {
                let why = "the kernel's log is all programs'";
                self.permit(call, Object::Also(Permission::PacketLog, why))?;
                let driver: String = self.about.driver.as_str().chars().take(DRIVER).collect();
                *prefix = format!("pontoon {driver}: {prefix} ");
                more += 1;
            }
        }
        if more > 0 && view.logging_rules()? + more > LOGGING_RULES {
            let why = format!("a network has at most {LOGGING_RULES} rules that write a log");
            return Err(self.refused(call, Kind::Unavailable, &why));
        }
        Ok(())
    }
}

fn there<'a>(sets: &'a [SeenSet], name: &str) -> Result<&'a SeenSet> {
    let found = sets.iter().find(|set| set.name == name && !set.is_removed);
    found.ok_or_else(|| no_set(name))
}

/// The refusal where there is no set of that name.
pub fn no_set(name: &str) -> Error {
    Error::not_found(format!("the network has no set {name:?}"))
}

/// The kernel's intervals are apart.
fn check_overlap(before: &[NftElement], new: &[NftElement]) -> Result<()> {
    let mut ranges: BTreeMap<u128, (u128, NftElement)> = BTreeMap::new();
    for element in before.iter().chain(new) {
        let (first, last) = element.range();
        let other = ranges.range(..=last).next_back().filter(|(_, (end, _))| *end >= first);
        if let Some((_, (_, other))) = other {
            return Err(Error::exists(format!("{element:?} overlaps with {other:?} in the set")));
        }
        ranges.insert(first, (last, *element));
    }
    Ok(())
}

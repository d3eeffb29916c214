//! What a driver may do, and the one gate that decides every host call.
//!
//! - [`Grant`]: what the operator allows a driver, in the same words in which a driver asks for it
//! - [`Permission`], [`Range`], [`NamespaceKind`], [`Sysctl`], [`Hook`], [`MarkBits`], [`Limit`]: the words; [`Item`] is any one of them
//! - [`file`]: a grant as a TOML file; [`explain`]: the same in sentences
//! - [`Gate`]: asked for every host call with its objects, which it answers as [`Granted`]; an effect takes nothing else
//! - [`Policy`]: a driver's grant as it is now, and the [`Audit`] of what was allowed and refused
//! - [`HostCall`]: every function that a driver can import

mod audit;
mod explain;
pub mod file;
pub mod gate;
mod item;
mod limit;
mod mark;
mod permission;
mod policy;
mod range;
mod rate;
mod word;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use ask::HostCall;
pub use audit::{Audit, AuditCount, Audited, Refused};
pub use explain::explain;
pub use gate::view::{Link, Place, View};
pub use gate::{About, Gate, Granted};
pub use item::Item;
pub use limit::Limit;
pub use mark::MarkBits;
pub use permission::Permission;
pub use policy::{Needed, Policy};
pub use range::Range;
pub use word::{Hook, NamespaceKind, Sysctl, check_table};

use words::{Error, LinkName, Result};

/// Every interface, or every table.
pub const ANY: &str = "*";

/// Entries of one list: a grant is read by people.
const ENTRIES: usize = 256;

/// What a driver may do beside what every driver may. Nothing named, nothing allowed: `permissions` say which host calls, the lists on what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Grant {
    /// Kinds of host calls.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub permissions: BTreeSet<Permission>,
    /// Where its links, rules and routes may be, beside the namespaces that it makes.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub namespaces: BTreeSet<NamespaceKind>,
    /// Addresses of its links, and those that its rules are about.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub addresses: BTreeSet<Range>,
    /// Ranges of which it may choose the pools of networks that were made without any; of a driver that manages addresses (`ipam`), all that it gives.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub pools: BTreeSet<Range>,
    /// Where its routes may lead; `default` is the way to everywhere.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub routes: BTreeSet<Range>,
    /// Interfaces of the host that its links may be made on (macvlan, ipvlan, vlan, vxlan), by name; `*`: any. It can't change them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub parents: BTreeSet<String>,
    /// Kernel settings, e.g. `link.ipv6-accept-ra` of its own links, `host.ipv4-forwarding` of the host.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub sysctls: BTreeSet<Sysctl>,
    /// Tables of its networks, by name; `*`: any.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tables: BTreeSet<String>,
    /// nftables hooks, and the priorities at each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hooks: BTreeMap<Hook, BTreeSet<i32>>,
    /// Bits of packets' marks that its nftables rules may set, e.g. `0x00ff0000`: who else goes by them (policy rules, other firewalls) heeds its marks.
    #[serde(skip_serializing_if = "MarkBits::is_none")]
    #[schema(value_type = String)]
    pub mark_bits: MarkBits,
    /// How much; what is not named is the default.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<Limit, u64>,
}

impl Grant {
    /// All that is named, one by one.
    pub fn items(&self) -> Vec<Item> {
        let hooks = self.hooks.iter().flat_map(|(hook, at)| at.iter().map(|priority| Item::Hook(*hook, *priority)));
        let permissions = self.permissions.iter().map(|permission| Item::Permission(*permission));
        permissions
            .chain(self.namespaces.iter().map(|kind| Item::Namespace(*kind)))
            .chain(self.addresses.iter().map(|range| Item::Address(*range)))
            .chain(self.pools.iter().map(|range| Item::Pool(*range)))
            .chain(self.routes.iter().map(|range| Item::Route(*range)))
            .chain(self.parents.iter().cloned().map(Item::Parent))
            .chain(self.sysctls.iter().map(|sysctl| Item::Sysctl(*sysctl)))
            .chain(hooks)
            .chain((!self.mark_bits.is_none()).then_some(Item::MarkBits(self.mark_bits)))
            .chain(self.tables.iter().cloned().map(Item::Table))
            .chain(self.limits.iter().map(|(limit, value)| Item::Limit(*limit, *value)))
            .collect()
    }

    /// Whether it has this, or more.
    pub fn covers(&self, item: &Item) -> bool {
        let named = |names: &BTreeSet<String>, name: &str| names.contains(name) || names.contains(ANY);
        match item {
            Item::Permission(permission) => self.permissions.contains(permission),
            Item::Namespace(kind) => *kind == NamespaceKind::Own || self.namespaces.contains(kind),
            Item::Address(range) => self.addresses.iter().any(|own| own.covers(*range)),
            Item::Pool(range) => self.pools.iter().any(|own| own.covers(*range)),
            Item::Route(range) => self.routes.iter().any(|own| own.covers(*range)),
            Item::Parent(name) => named(&self.parents, name),
            Item::Sysctl(sysctl) => self.sysctls.contains(sysctl),
            Item::Hook(hook, priority) => self.hooks.get(hook).is_some_and(|at| at.contains(priority)),
            Item::MarkBits(bits) => self.mark_bits.covers(*bits),
            Item::Table(name) => named(&self.tables, name),
            Item::Limit(limit, value) => self.limit(*limit) >= *value,
        }
    }

    /// Whether what a driver asks for is granted. Who asks for parents without naming one (`*`) gets those that the operator names.
    pub fn answers(&self, asked: &Item) -> bool {
        match asked {
            Item::Parent(name) if name == ANY => !self.parents.is_empty(),
            _ => self.covers(asked),
        }
    }

    /// What is asked for and not granted.
    pub fn lacks(&self, asks: &Self) -> Vec<Item> {
        asks.items().into_iter().filter(|item| !self.answers(item)).collect()
    }

    /// Adds what is not covered yet.
    pub fn add(&mut self, item: Item) {
        if self.covers(&item) {
            return;
        }
        match item {
            Item::Permission(permission) => drop(self.permissions.insert(permission)),
            Item::Namespace(kind) => drop(self.namespaces.insert(kind)),
            Item::Address(range) => drop(self.addresses.insert(range)),
            Item::Pool(range) => drop(self.pools.insert(range)),
            Item::Route(range) => drop(self.routes.insert(range)),
            Item::Parent(name) => drop(self.parents.insert(name)),
            Item::Sysctl(sysctl) => drop(self.sysctls.insert(sysctl)),
            Item::Hook(hook, priority) => drop(self.hooks.entry(hook).or_default().insert(priority)),
            Item::MarkBits(MarkBits(bits)) => self.mark_bits.0 |= bits,
            Item::Table(name) => drop(self.tables.insert(name)),
            Item::Limit(limit, value) => drop(self.limits.insert(limit, value)),
        }
    }

    /// How much of something the driver may have.
    pub fn limit(&self, limit: Limit) -> u64 {
        self.limits.get(&limit).copied().unwrap_or(limit.default())
    }

    /// Refuses what no grant can say: what its words' own forms don't keep out.
    pub fn check(&self) -> Result<()> {
        let counts = [
            ("addresses", self.addresses.len()),
            ("pools", self.pools.len()),
            ("routes", self.routes.len()),
            ("parents", self.parents.len()),
            ("hooks", self.hooks.values().map(BTreeSet::len).sum()),
            ("tables", self.tables.len()),
        ];
        if let Some((key, count)) = counts.into_iter().find(|(_, count)| *count > ENTRIES) {
            return Err(Error::invalid(format!("{key}: {count} entries: at most {ENTRIES}")));
        }
        if self.addresses.contains(&Range::Default) {
            return Err(Error::invalid("addresses: \"default\" is for routes: write network, or a range"));
        }
        if let Some(range) = self.pools.iter().find(|range| !matches!(range, Range::Net(_))) {
            return Err(Error::invalid(format!("pools: \"{range}\" is no range of addresses: write one")));
        }
        for name in self.parents.iter().filter(|name| *name != ANY) {
            LinkName::new(name).map_err(|e| e.context("parents"))?;
        }
        for name in self.tables.iter().filter(|name| *name != ANY) {
            check_table(name).map_err(|e| e.context("tables"))?;
        }
        self.limits.iter().try_for_each(|(limit, value)| limit.check(*value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> Grant {
        file::read("g.toml", text.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_asked_for_beyond_the_grant() {
        let asks = grant(
            "permissions = ['links', 'store']\nnamespaces = ['host']\naddresses = ['network', '10.1.2.0/24']\nroutes = ['default']\n\
             parents = ['eth0']\nsysctls = ['host.ipv4-forwarding']\nhooks = { forward = [0, -1] }\ntables = ['peers']\nlimits = { links = 5000 }",
        );
        let some = grant(
            "permissions = ['links']\naddresses = ['10.0.0.0/8']\nhooks = { forward = [0], input = [-1] }\nparents = ['eth1']\n\
             sysctls = ['link.ipv4-forwarding']",
        );
        let lacks: Vec<_> = some.lacks(&asks).iter().map(Item::to_string).collect();
        let expected = [
            "permissions: store",
            "namespaces: host",
            "addresses: network",
            "routes: default",
            "parents: eth0",
            "sysctls: host.ipv4-forwarding",
            "hooks: forward -1",
            "tables: peers",
            "limits: links 5000",
        ];
        assert_eq!(lacks, expected);
        assert_eq!(asks.lacks(&asks), []);
        assert_eq!(Grant::default().lacks(&Grant::default()), []);
        let any = grant(
            "permissions = ['links', 'store']\nnamespaces = ['host']\naddresses = ['network', '10.0.0.0/8']\n\
             routes = ['default']\nparents = ['*']\nsysctls = ['host.ipv4-forwarding']\nhooks = { forward = [0, -1] }\ntables = ['*']\n\
             limits = { links = 6000 }",
        );
        assert_eq!(any.lacks(&asks), []);
    }

    #[test]
    fn the_operator_names_the_parents() {
        let asks = grant("parents = ['*']");
        assert_eq!(grant("parents = ['eth1']").lacks(&asks), []);
        assert_eq!(asks.lacks(&asks), []);
        assert_eq!(Grant::default().lacks(&asks), [Item::Parent("*".into())], "an empty list allows nothing");
        // A link may have that name.
        assert!(!grant("parents = ['eth1']").covers(&Item::Parent("*".into())));
    }

    #[test]
    fn a_grant_grows_by_what_it_lacks() {
        let asks = grant("permissions = ['links']\naddresses = ['network']\nhooks = { forward = [0] }");
        let mut grown = Grant::default();
        asks.items().into_iter().for_each(|item| grown.add(item));
        assert_eq!(grown, asks);
    }
}

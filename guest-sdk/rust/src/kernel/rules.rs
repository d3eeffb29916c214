//! Policy rules: which packets look into which routing table.

use ipnet::IpNet;

use crate::links::Link;
use crate::namespaces::Namespace;
use crate::{Result, sys};

/// A rule. At least one of `source`, `destination` and `input_link` is given.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// 1 to 32,765; the lower, the sooner.
    pub priority: u32,
    /// In one of the network's pools, or in a range that the grant names.
    pub source: Option<IpNet>,
    /// The same.
    pub destination: Option<IpNet>,
    /// The link that packets come in by. The rule goes with it, and it keeps its name until then.
    pub input_link: Option<&'a Link>,
    /// The packet mark and its mask.
    pub mark: Option<(u32, u32)>,
    /// The routing table to look into.
    pub table: u32,
}

/// Whose packets a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// A rule as the kernel has it, without its family and input link: see [`WholeRule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// The lower, the sooner.
    pub priority: u32,
    /// Packets from here.
    pub source: Option<IpNet>,
    /// Packets to here.
    pub destination: Option<IpNet>,
    /// The packet mark and its mask.
    pub mark: Option<(u32, u32)>,
    /// The routing table to look into.
    pub table: u32,
}

/// A rule with all that names it: [`remove_of_family`] of the same values removes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeRule {
    /// Whose packets it is for.
    pub family: Family,
    /// The lower, the sooner.
    pub priority: u32,
    /// Packets from here.
    pub source: Option<IpNet>,
    /// Packets to here.
    pub destination: Option<IpNet>,
    /// The name of the link that they come in by: [`links::get`](crate::links::get) finds it in the rule's namespace.
    pub input_link: Option<String>,
    /// The packet mark and its mask.
    pub mark: Option<(u32, u32)>,
    /// The routing table to look into.
    pub table: u32,
}

/// Adds rules, each for the family of its `source` and `destination`, and for IPv4 where it has neither: see [`add_of_family`].
///
/// # Errors
/// `InvalidArgument`: none of `source`, `destination` and `input_link`, or the rule would catch foreign packets; two families; a link in another
/// namespace; a priority or table that can't be used. `Forbidden`: nothing ties it to the network, or a table of the kernel's own. `NotFound`:
/// the link is gone. `Unavailable`: the driver has as many rules as its grant says.
pub fn add(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    sys::rules::add(namespace.map(|namespace| &namespace.0), rules)
}

/// Removes rules. Ok for those that are not there; one that was added twice is removed once.
///
/// # Errors
/// `InvalidArgument`: what [`add`] would not take. `Forbidden`: a link that is not the driver's own, or a namespace that the grant does not name.
pub fn remove(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    sys::rules::remove(namespace.map(|namespace| &namespace.0), rules)
}

/// The network's rules there, without their families and input links: see [`list_whole`].
///
/// # Errors
/// `Forbidden`: a namespace that the grant does not name.
pub fn list(namespace: Option<&Namespace>) -> Result<Vec<RuleInfo>> {
    sys::rules::list(namespace.map(|namespace| &namespace.0))
}

/// [`add`] for one family, said also where neither `source` nor `destination` says it.
///
/// # Errors
/// `InvalidArgument`: as with [`add`]; a `source` or `destination` of the other family.
pub fn add_of_family(family: Family, namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    sys::rules::add_of_family(family, namespace.map(|namespace| &namespace.0), rules)
}

/// [`remove`] for one family. Ok for those that are not there.
///
/// # Errors
/// `InvalidArgument`: as with [`add_of_family`].
pub fn remove_of_family(family: Family, namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    sys::rules::remove_of_family(family, namespace.map(|namespace| &namespace.0), rules)
}

/// The network's rules there, of both families, with their input links.
///
/// # Errors
/// `Forbidden`: a namespace that the grant does not name.
pub fn list_whole(namespace: Option<&Namespace>) -> Result<Vec<WholeRule>> {
    sys::rules::list_whole(namespace.map(|namespace| &namespace.0))
}

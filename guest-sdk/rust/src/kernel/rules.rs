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

/// A rule as the kernel has it.
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

/// Adds rules.
///
/// # Errors
/// `InvalidArgument`: a rule that would catch foreign packets.
pub fn add(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    sys::rules::add(namespace.map(|namespace| &namespace.0), rules)
}

/// Removes rules. Ok for those that are not there.
///
/// # Errors
/// None to be expected.
pub fn remove(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    sys::rules::remove(namespace.map(|namespace| &namespace.0), rules)
}

/// The rules that this driver made.
///
/// # Errors
/// None to be expected.
pub fn list(namespace: Option<&Namespace>) -> Result<Vec<RuleInfo>> {
    sys::rules::list(namespace.map(|namespace| &namespace.0))
}

//! The words for the iptables of others: the table `filter`, as far as it stands in the way of forwarding.
//!
//! Packets that are forwarded (and, with bridge-nf, those that a bridge passes on) must come through its chain FORWARD, whatever any other
//! table accepts. Dockerd makes that chain drop by default, and leaves the chain DOCKER-USER to the administrator.

use std::collections::BTreeSet;
use std::fs;

use serde::{Deserialize, Serialize};

use crate::{Error, LinkName};

/// iptables or ip6tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IptablesFamily {
    /// iptables.
    Ipv4,
    /// ip6tables.
    Ipv6,
}

impl IptablesFamily {
    /// The program that it is used with.
    pub fn program(self) -> &'static str {
        match self {
            Self::Ipv4 => "iptables",
            Self::Ipv6 => "ip6tables",
        }
    }
}

/// A chain of the table `filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IptablesChain {
    /// FORWARD, the base chain.
    Forward,
    /// DOCKER-USER, to which dockerd jumps from FORWARD before all else.
    DockerUser,
}

impl IptablesChain {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "FORWARD",
            Self::DockerUser => "DOCKER-USER",
        }
    }
}

/// What was found of the table `filter` of iptables-nft.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IptablesFilter {
    /// The generation of the host's nftables, read before the rest.
    pub generation: u32,
    /// FORWARD.
    pub forward: Option<IptablesRules>,
    /// DOCKER-USER.
    pub docker_user: Option<IptablesRules>,
    /// The links that some rule of the table keeps what is sent into them from, by `-o LINK` with DROP or a chain of its own: as dockerd does
    /// for each of its bridges.
    pub protected: BTreeSet<String>,
}

/// What is in a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IptablesRules {
    /// A base chain whose policy is DROP.
    pub drops: bool,
    /// Some rule jumps here.
    pub used: bool,
    /// Its rules, in order.
    pub rules: Vec<IptablesRule>,
}

/// A rule, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IptablesRule {
    /// The kernel's handle in the table.
    pub handle: u64,
    /// What `-m comment` says; empty without.
    pub comment: String,
    /// `-j RETURN` without a condition.
    pub returns: bool,
    /// It looks at a link's index: none that iptables itself wrote does, what it saved and restored included.
    pub by_index: bool,
    /// What a container begins ends here in a drop or a reject, whatever it is: by the rule, or where it leads.
    pub refuses: bool,
}

/// A change of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IptablesChange {
    /// Adds `-i LINK -m comment --comment COMMENT -j ACCEPT`, or as the way says, for the link that has both the name and the index.
    #[expect(missing_docs, reason = "the fields say it")]
    Accept { chain: IptablesChain, place: IptablesPlace, link: LinkName, index: u32, way: IptablesWay, comment: String },
    /// Removes the rule of this handle.
    Remove(IptablesChain, u64),
}

/// Which packets of a link a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IptablesWay {
    /// `-i LINK`
    From,
    /// `-o LINK`
    To,
    /// `-i LINK -o LINK`: from port to port of a bridge.
    Within,
}

/// Where in its chain a rule comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IptablesPlace {
    /// Before all.
    First,
    /// Before the rule of this handle.
    Before(u64),
    /// After all.
    Last,
}

/// Reads what tables the legacy iptables have in the calling thread's namespace.
pub(super) fn has_legacy(family: IptablesFamily) -> Result<bool, Error> {
    let path = match family {
        IptablesFamily::Ipv4 => "/proc/thread-self/net/ip_tables_names",
        IptablesFamily::Ipv6 => "/proc/thread-self/net/ip6_tables_names",
    };
    match fs::read_to_string(path) {
        Ok(names) => Ok(names.lines().any(|name| name == "filter")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(format!("reading {path}"), &error)),
    }
}

//! The conformance suite: `pontoon driver test` runs a driver through every part that it exports.
//!
//! Each check has a world of its own: a fresh host's namespace, a fresh store, and the driver in them. It asks as a container engine or an
//! operator does, or calls the driver itself where a front end never would ([`World::direct`]), and ends with the first thing that is not as
//! `wit/` says. Every call is a fresh instance of the component, so a driver that keeps anything in its memory fails from the start.
//!
//! - [`suite`]: what a run is: a driver, its parts, the checks at once, and their results
//! - [`world`], [`direct`], [`ground`]: where a check takes place, and what can be asked there
//! - [`cast`]: networks and endpoints; [`seen`]: kernel and store as lines; [`stop`]: how a check ends
//! - [`CHECKS`] and one file per theme: the checks

pub mod cast;
mod direct;
mod faults;
mod ground;
mod life;
mod links;
pub mod report;
mod seen;
mod stop;
mod suite;
mod world;

pub use report::{Outcome, Report, Verdict};
pub use stop::Failure;
pub use suite::{Plan, run};

use stop::Checked;
use world::World;

/// One check.
pub struct Check {
    /// Its name, for `--check`.
    pub name: &'static str,
    /// What it shows, in a line.
    pub about: &'static str,
    /// The exported interface that it is about.
    part: Part,
    run: fn(&mut World<'_>) -> Checked<()>,
}

/// The exported interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Driver,
    NetworkAllocator,
    TableWatcher,
    ExternalConnectivity,
    Ipv6Releaser,
    GatewayAllocationChecker,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::NetworkAllocator => "network-allocator",
            Self::TableWatcher => "table-watcher",
            Self::ExternalConnectivity => "external-connectivity",
            Self::Ipv6Releaser => "ipv6-releaser",
            Self::GatewayAllocationChecker => "gateway-allocation-checker",
        }
    }
}

/// All checks, in the order in which they are reported.
pub const CHECKS: &[Check] = &[
    check("life-ipv4", "an endpoint's whole life on an IPv4 network leaves nothing behind", Part::Driver, life::ipv4),
    check("life-dual", "the same with both families, and a gateway for each", Part::Driver, life::dual),
    check("life-ipv6", "the same with IPv6 alone", Part::Driver, life::ipv6),
    check("life-internal", "the same without a way out, and so without a gateway", Part::Driver, life::internal),
    check(
        "life-no-pools",
        "a network without pools works, or is refused in so many words",
        Part::Driver,
        life::no_pools,
    ),
    check("link", "join names a link that is the endpoint's own, with its MAC", Part::Driver, links::link),
    check("mac", "the MAC that the user asked for is the link's, and is not set again", Part::Driver, links::mac),
    check("mtu", "the label com.docker.network.driver.mtu is the link's MTU", Part::Driver, links::mtu),
    check(
        "faults-create",
        "each host call of what makes a network or endpoint fails, then traps",
        Part::Driver,
        faults::making,
    ),
    check("faults-delete", "each host call of what removes one fails, then traps", Part::Driver, faults::removing),
];

const fn check(name: &'static str, about: &'static str, part: Part, run: fn(&mut World<'_>) -> Checked<()>) -> Check {
    Check { name, about, part, run }
}

//! The conformance suite: `pontoon driver test` runs a driver through every part that it exports.
//!
//! Each check has a world of its own: a fresh host's namespace, a fresh store, and the driver in them. It asks as a container engine or an
//! operator does, or calls the driver itself where a front end never would ([`World::direct`]), and ends with the first thing that is not as
//! `wit/` says. Every call is a fresh instance of the component, so a driver that keeps anything in its memory fails from the start.
//!
//! - [`suite`]: what a run is: a driver, its parts, the checks at once, and their results
//! - [`world`], [`ground`]: where a check takes place; [`ask`], [`direct`]: what can be asked there
//! - [`cast`]: networks and endpoints; [`seen`]: kernel and store as lines; [`stop`]: how a check ends
//! - [`bench`]: what each call costs
//! - [`CHECKS`] and one file per theme: the checks
//! - [`cases`], [`tried`]: what an author writes beside them

mod addresses;
mod ask;
mod attach;
mod bench;
mod cases;
pub mod cast;
mod direct;
mod errors;
mod faults;
mod ground;
mod life;
mod links;
mod many;
mod options;
mod outside;
mod parts;
mod reboot;
pub mod report;
mod seen;
mod stop;
mod suite;
mod tables;
mod tried;
mod upgrade;
mod world;

pub use bench::{Cost, bench};
pub use cases::{Case, read as read_cases};
pub use ground::Ground;
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
    Ipam,
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
            Self::Ipam => "ipam",
            Self::TableWatcher => "table-watcher",
            Self::ExternalConnectivity => "external-connectivity",
            Self::Ipv6Releaser => "ipv6-releaser",
            Self::GatewayAllocationChecker => "gateway-allocation-checker",
        }
    }
}

/// The check that needs another build, and is left out where there is none.
const UPGRADE: &str = "upgrade";

/// All checks, in the order in which they are reported.
#[rustfmt::skip]
pub const CHECKS: &[Check] = &[
    check("life-ipv4", "an endpoint's whole life on an IPv4 network leaves nothing behind", Part::Driver, life::ipv4),
    check("life-dual", "the same with both families, and a gateway for each", Part::Driver, life::dual),
    check("life-ipv6", "the same with IPv6 alone", Part::Driver, life::ipv6),
    check("life-internal", "the same without a way out, and so without a gateway", Part::Driver, life::internal),
    check("life-no-pools", "a network without pools works, or is refused in so many words", Part::Driver, life::no_pools),
    check("rejoin", "an endpoint that leaves and joins again gets the same", Part::Driver, life::rejoin),
    check("link", "join names a link that is the endpoint's own, with its MAC", Part::Driver, links::link),
    check("mac", "the MAC that the user asked for is the link's, and is not set again", Part::Driver, links::mac),
    check("mtu", "the label com.docker.network.driver.mtu is the link's MTU", Part::Driver, links::mtu),
    check("attach", "an attached namespace has its link, addresses and MAC, and loses them again", Part::Driver, attach::life),
    check("reach", "two endpoints of one network reach each other", Part::Driver, attach::reach),
    check("unknown", "what is asked of a network or endpoint that is not there is not-found", Part::Driver, errors::unknown),
    check("twice", "what is there is not made again", Part::Driver, errors::twice),
    check("removals", "removals succeed for what is not there, and twice", Part::Driver, errors::removals),
    check("tidy", "the driver removes what it made, and leaves nothing to sweep", Part::Driver, errors::tidy),
    check("unknown-options", "unknown labels and JSON options are ignored", Part::Driver, options::unknown),
    check("bad-options", "a bad value of a known label is invalid-argument", Part::Driver, options::bad),
    check("crowd", "32 endpoints at once, on several networks", Part::Driver, many::crowd),
    check("again", "the same ids work again at once", Part::Driver, many::again),
    check("siblings", "endpoints of a network don't see each other", Part::Driver, many::siblings),
    check("apart", "networks don't see each other", Part::Driver, many::apart),
    check("ids", "ids are opaque: those that begin alike, short and long ones", Part::Driver, many::ids),
    check("reboot", "create-network comes again with the same arguments and an empty store", Part::Driver, reboot::reboot),
    check(UPGRADE, "what an earlier build of the driver made goes on with this one (--upgrade-from)", Part::Driver, upgrade::upgrade),
    check("faults-create", "each host call of what makes a network or endpoint fails, then traps", Part::Driver, faults::making),
    check("faults-delete", "each host call of what removes one fails, then traps", Part::Driver, faults::removing),
    check("ports-replace", "programming again replaces what was programmed", Part::ExternalConnectivity, outside::replace),
    check("ports-revoke", "revoking takes everything back", Part::ExternalConnectivity, outside::revoke),
    check("ports-leave", "leaving without a revoke takes everything back, too", Part::ExternalConnectivity, outside::leave),
    check("ports-taken", "a port of another endpoint's is refused", Part::ExternalConnectivity, outside::taken),
    check("allocate", "what network-allocate reserves network-free gives back", Part::NetworkAllocator, parts::allocator),
    check("faults-allocate", "each host call of network-allocate and -free fails, then traps", Part::NetworkAllocator, faults::allocating),
    check("pools", "a pool with its gateway and endpoints comes and goes", Part::Ipam, addresses::life),
    check("pools-wanted", "the pool that is asked for is given, and not twice", Part::Ipam, addresses::wanted_pool),
    check("addresses", "addresses that are asked for at once differ, and those given back can be had again", Part::Ipam, addresses::wanted_address),
    check("pools-unknown", "what is asked of a pool that is not there is not-found", Part::Ipam, addresses::unknown),
    check("faults-pools", "each host call of request-pool and request-address fails, then traps", Part::Ipam, addresses::failing),
    check("events", "entries of other owners are created, updated and deleted", Part::TableWatcher, tables::events),
    check("events-again", "an event that comes again is taken again", Part::TableWatcher, tables::again),
    check("events-apart", "an entry of one network changes nothing of another's", Part::TableWatcher, tables::apart),
    check("events-failing", "an event whose call failed comes again", Part::TableWatcher, tables::failing),
    check("decode", "whatever stands in an entry is explained or refused", Part::TableWatcher, tables::decode),
    check("release-ipv6", "an endpoint goes on without IPv6", Part::Ipv6Releaser, parts::releaser),
    check("faults-release", "each host call of release-ipv6 fails, then traps", Part::Ipv6Releaser, faults::releasing),
    check("attach-no-ipv6", "a namespace that can't use IPv6 gets none", Part::Ipv6Releaser, attach::without_ipv6),
    check("gateways", "skip-gateway-allocation answers, and networks without those gateways work", Part::GatewayAllocationChecker, parts::checker),
    check("gateways-options", "skip-gateway-allocation of a bad value is answered or refused", Part::GatewayAllocationChecker, parts::bad_gateway_option),
];

const fn check(name: &'static str, about: &'static str, part: Part, run: fn(&mut World<'_>) -> Checked<()>) -> Check {
    Check { name, about, part, run }
}

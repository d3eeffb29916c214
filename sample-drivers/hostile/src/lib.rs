//! A driver that attacks its host. The option `attack` of a network or an endpoint names what its call tries; each attack is a function of
//! one of the modules, and each is named by a test in `tests/scenarios/hostile.rs`, which says how it must end.
//!
//! An attack that the host refuses answers the host's error. One that goes through answers ok, and then the test fails.

mod amounts;
mod chains;
mod devices;
mod foreign;
mod frames;
mod heaps;
mod join;
mod maps;
mod options;
mod packets;
mod paths;
mod piles;
mod ranges;
mod raw;
mod rules;
mod shapes;
mod shares;
mod texts;
mod ties;
mod traps;
mod tunnels;
mod walk;
mod waste;

use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, Link, LinkEnd, LinkSpec};
use pontoon_sdk::store::{self, Key};
use pontoon_sdk::{
    Driver, EndpointOptions, Error, InterfaceInfo, IpamData, JoinInfo, NetworkInfo, NetworkOptions, Registration,
    Result, TextMap, export_driver,
};

/// The driver.
struct Hostile;

export_driver!(Hostile);

/// What an attack has to work with.
pub(crate) struct Stage {
    /// The pool of the network at hand.
    pool: IpNet,
}

/// Names of attacks that one message tells: it has its limit.
const PAGE: usize = 25;

/// An attack in a call of a network.
type Attack = fn(&Stage) -> Result<()>;

/// All of them, by name, but those of a join.
fn attacks() -> impl Iterator<Item = (&'static str, Attack)> {
    let modules = [
        waste::ATTACKS,
        amounts::ATTACKS,
        heaps::ATTACKS,
        shares::ATTACKS,
        foreign::ATTACKS,
        ranges::ATTACKS,
        paths::ATTACKS,
        options::ATTACKS,
        devices::ATTACKS,
        shapes::ATTACKS,
        tunnels::ATTACKS,
        packets::ATTACKS,
        maps::ATTACKS,
        chains::ATTACKS,
        frames::ATTACKS,
        rules::ATTACKS,
        ties::ATTACKS,
        texts::ATTACKS,
        traps::ATTACKS,
        raw::ATTACKS,
    ];
    modules.into_iter().flatten().copied()
}

/// Those of a join.
fn join_attacks() -> impl Iterator<Item = (&'static str, join::Attack)> {
    join::ATTACKS.iter().chain(devices::JOINS).copied()
}

/// Looks for an attack among all of a kind.
fn find<T>(mut all: impl Iterator<Item = (&'static str, T)>, options: &TextMap) -> Result<Option<T>> {
    let Some(name) = options.get("attack") else { return Ok(None) };
    match all.find(|(known, _)| *known == name) {
        Some((_, attack)) => Ok(Some(attack)),
        None => Err(Error::invalid_argument(format!("there is no attack {name}"))),
    }
}

impl Stage {
    /// A link of the driver's own.
    fn link(&self, name: &str) -> Result<Link> {
        Ok(links::add_one(LinkSpec::bridge(LinkEnd { up: true, ..LinkEnd::named(name) }))?.link)
    }
}

impl Driver for Hostile {
    fn register() -> Registration {
        Registration::new("hostile")
    }

    fn create_network(
        network: &str,
        options: &NetworkOptions,
        info: &NetworkInfo,
        ipv4: &[IpamData],
        _: &[IpamData],
    ) -> Result<()> {
        match options.generic.get("walk") {
            Some("host") => drop(pontoon_sdk::namespaces::host()),
            Some(_) => return walk::walk(info),
            None => {}
        }
        if let Some(page) = options.generic.get("list").and_then(|page| page.parse::<usize>().ok()) {
            let names = attacks().map(|(name, _)| name).chain(foreign::BY_HANDLE.iter().map(|(name, _)| *name));
            let names = names.chain(join_attacks().map(|(name, _)| name));
            let names: Vec<_> = names.skip(page * PAGE).take(PAGE).collect();
            return Err(Error::invalid_argument(names.join(" ")));
        }
        if let Some(pool) = ipv4.first().and_then(|data| data.pool)
            && let Some(made) = piles::pile(network, &options.generic, &Stage { pool })
        {
            return made;
        }
        Key::new(format!("network/{network}")).set(&())?;
        let wanted = options.generic.get("attack");
        if let Some((_, attack)) = foreign::BY_HANDLE.iter().find(|(name, _)| Some(*name) == wanted) {
            return attack(info);
        }
        let Some(pool) = ipv4.first().and_then(|data| data.pool) else { return Ok(()) };
        if let Some(name) = options.generic.get("leave") {
            let leaving = ties::LEAVING.iter().find(|(known, _)| *known == name);
            return leaving.map_or(Ok(()), |(_, attack)| attack(&Stage { pool }));
        }
        find(attacks(), &options.generic)?.map_or(Ok(()), |attack| attack(&Stage { pool }))
    }

    fn delete_network(network: &str) -> Result<()> {
        store::remove(&format!("network/{network}"))
    }

    fn create_endpoint(_: &str, endpoint: &str, _: &InterfaceInfo, options: &EndpointOptions) -> Result<()> {
        piles::list(&options.generic)?;
        let [host, container] = ends(endpoint);
        links::add_one(LinkSpec::veth(LinkEnd::named(host), LinkEnd::named(container)))?;
        if options.generic.get("attack") == Some("release-a-translated-port-later") {
            join::take_a_port()?;
        }
        // Joins have no options of their own.
        Key::new(format!("attack/{endpoint}")).set(&options.generic.get("attack").unwrap_or_default().to_owned())
    }

    fn delete_endpoint(_: &str, endpoint: &str) -> Result<()> {
        store::remove(&format!("attack/{endpoint}"))
    }

    fn join(_: &str, endpoint: &str, _: &str, info: &JoinInfo, _: &EndpointOptions) -> Result<()> {
        let [_, container] = ends(endpoint);
        let link = links::get(None, &container)?;
        info.interface_name().set_names(&link, "eth", None)?;
        let attack = Key::<String>::new(format!("attack/{endpoint}")).get()?.unwrap_or_default();
        if attack == "rules-of-a-link-that-moves" {
            return ties::speak_of(&link);
        }
        match join_attacks().find(|(name, _)| *name == attack) {
            Some((_, attack)) => attack(info),
            None => Err(Error::invalid_argument(format!("there is no attack {attack} of a join"))),
        }
    }
}

/// The names of an endpoint's links.
fn ends(endpoint: &str) -> [String; 2] {
    ["hh", "hc"].map(|prefix| format!("{prefix}{endpoint:.8}"))
}

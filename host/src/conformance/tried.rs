//! An author's cases, tried one after the other in one world. A case whose network has a case before it that failed is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::IpAddr;

use ipnet::IpNet;

use super::cases::{Case, Effects, Function};
use super::cast::{End, Net, pool};
use super::seen::Seen;
use super::stop::{Checked, Stop, kind, worded};
use super::world::World;
use operation::engine::{Interface, InterfaceName, Joined, Reply, Request};
use words::{Error, Result};

/// What cases have made.
#[derive(Default)]
pub struct Trial {
    networks: BTreeMap<String, (Net, BTreeMap<String, End>)>,
    /// Names that were given out, so that each network and endpoint has a number of its own.
    numbers: BTreeMap<String, u8>,
    failed: BTreeMap<String, String>,
}

impl Trial {
    /// Tries a case.
    pub fn case(&mut self, world: &World<'_>, case: &Case) -> Checked<()> {
        if let Some(earlier) = self.failed.get(&case.network) {
            return Err(Stop::skipped(format!("the case {earlier:?} failed, and it is of the same network")));
        }
        let tried = self.attempt(world, case);
        if tried.is_err() {
            self.failed.insert(case.network.clone(), case.name.clone());
        }
        tried
    }

    fn attempt(&mut self, world: &World<'_>, case: &Case) -> Checked<()> {
        let call = format!("{} in the case {:?}", case.call.name(), case.name);
        let before = world.look()?;
        let answer = self.call(world, case)?;
        let expected = case.expect.kind();
        match (answer, expected) {
            (Ok(reply), None) => {
                let effects = case.effects.clone().unwrap_or_default();
                told(&call, &effects, &reply)?;
                seen(&call, &effects, &before, &world.look()?)
            }
            (Ok(_), Some(error)) => Err(Stop::failed(call, kind(error), "ok")),
            (Err(error), None) => Err(Stop::failed(call, "ok", worded(&error))),
            (Err(error), Some(wanted)) if error.kind != wanted => Err(Stop::failed(call, kind(wanted), worded(&error))),
            (Err(error), Some(wanted)) => match &case.message {
                Some(part) if !error.message.contains(part.as_str()) => {
                    Err(Stop::failed(call, format!("{} with {part:?} in its message", kind(wanted)), worded(&error)))
                }
                _ => world.same(&before, &call, "before it"),
            },
        }
    }

    /// Asks as an engine does; what an engine would not ask, of what is not there or again, is asked of the driver itself.
    fn call(&mut self, world: &World<'_>, case: &Case) -> Checked<Result<Reply>> {
        let known = self.networks.get(&case.network).cloned();
        let net = match (&known, case.call) {
            (Some((net, _)), _) => net.clone(),
            (None, Function::CreateNetwork) => {
                let net = self.net(world, case)?;
                // An engine asks this first, and a driver may refuse options by it.
                if let Err(error) = ask(world, Request::CheckGateways(net.create.options.clone()))? {
                    return Ok(Err(error));
                }
                world.prepare(&net)?
            }
            (None, _) => self.net(world, case)?,
        };
        if matches!(case.call, Function::CreateNetwork | Function::DeleteNetwork) {
            let request = match (case.call, &known) {
                (Function::CreateNetwork, None) => Request::CreateNetwork(net.create.clone()),
                (Function::DeleteNetwork, Some(_)) => Request::DeleteNetwork(net.create.network.clone()),
                _ => return Ok(world.direct(case.call.name(), &net, None)?.map(|()| Reply::Done)),
            };
            let answer = ask(world, request)?;
            match (&answer, case.call) {
                (Ok(_), Function::CreateNetwork) => {
                    drop(self.networks.insert(case.network.clone(), (net, BTreeMap::new())))
                }
                (Ok(_), _) => drop(self.networks.remove(&case.network)),
                _ => {}
            }
            return Ok(answer);
        }
        let there = known.and_then(|(_, ends)| ends.get(&case.endpoint).cloned());
        let new = there.is_none();
        let mut end = match there {
            Some(end) => end,
            None => self.end(&net, case)?,
        };
        end.sandbox.port_bindings = case.ports.clone().unwrap_or(end.sandbox.port_bindings);
        self.call_endpoint(world, case, &net, end, new)
    }

    fn call_endpoint(
        &mut self,
        world: &World<'_>,
        case: &Case,
        net: &Net,
        end: End,
        new: bool,
    ) -> Checked<Result<Reply>> {
        let makes = case.call == Function::CreateEndpoint;
        let Some((_, ends)) = self.networks.get_mut(&case.network).filter(|_| makes == new) else {
            return Ok(world.direct(case.call.name(), net, Some(&end))?.map(|()| Reply::Done));
        };
        let request = match case.call {
            Function::CreateEndpoint => Request::CreateEndpoint(end.create.clone()),
            Function::DeleteEndpoint => Request::DeleteEndpoint(end.key()),
            Function::Join => Request::Join(end.join()),
            Function::Leave => Request::Leave(end.key()),
            Function::ProgramExternalConnectivity => Request::ProgramExternalConnectivity(end.outside()),
            Function::RevokeExternalConnectivity => Request::RevokeExternalConnectivity(end.key()),
            Function::ReleaseIpv6 | Function::CreateNetwork | Function::DeleteNetwork => {
                return Ok(world.direct(case.call.name(), net, Some(&end))?.map(|()| Reply::Done));
            }
        };
        let answer = ask(world, request)?;
        if answer.is_ok() && case.call == Function::DeleteEndpoint {
            ends.remove(&case.endpoint);
        } else if answer.is_ok() {
            ends.insert(case.endpoint.clone(), end);
        }
        Ok(answer)
    }

    fn net(&mut self, world: &World<'_>, case: &Case) -> Checked<Net> {
        let mut net = world.net(&case.network, self.number(&case.network)?)?;
        if let Some(pools) = &case.pools {
            let gateway = |of: &super::cases::Pool| {
                let first = of.subnet.hosts().find(|address| *address != of.subnet.network());
                let address = of.gateway.or(first).unwrap_or(of.subnet.addr());
                IpNet::new(address, of.subnet.prefix_len())
            };
            let all = pools.iter().map(|of| gateway(of).map(pool));
            let all: Vec<_> = all.collect::<std::result::Result<_, _>>().map_err(|e| Error::invalid(e.to_string()))?;
            let is_ipv4 = |pool: &operation::engine::PoolData| pool.pool.is_some_and(|net| net.addr().is_ipv4());
            (net.create.ipv4, net.create.ipv6) = all.into_iter().partition(is_ipv4);
            net.create.options.ipv4 = !net.create.ipv4.is_empty();
            net.create.options.ipv6 = !net.create.ipv6.is_empty();
        }
        net.create.options.internal = case.internal.unwrap_or_default();
        net.create.options.generic = case.options.clone().unwrap_or_default();
        Ok(net)
    }

    fn end(&mut self, net: &Net, case: &Case) -> Checked<End> {
        let mut end = net.end(&case.endpoint, 1 + self.number(&format!("{}/{}", case.network, case.endpoint))?)?;
        end.create.interface = match &case.addresses {
            Some(addresses) => of_addresses(addresses),
            None => within(net, &end.create.interface),
        };
        if let Some(mac) = case.mac {
            end = end.mac(mac);
        }
        end.create.options.generic = case.options.clone().unwrap_or_default();
        Ok(end)
    }

    fn number(&mut self, name: &str) -> Result<u8> {
        let next = self.numbers.len() + 1;
        let number = self.numbers.get(name).copied().map_or_else(|| u8::try_from(next), Ok);
        let number = number.ok().filter(|number| *number < 250);
        let number = number.ok_or_else(|| Error::invalid("the cases name more than 249 networks and endpoints"))?;
        Ok(*self.numbers.entry(name.to_owned()).or_insert(number))
    }
}

fn of_addresses(addresses: &[IpNet]) -> Interface {
    let mut interface = Interface::default();
    for address in addresses {
        match address {
            IpNet::V4(v4) => interface.address = Some(*v4),
            IpNet::V6(v6) => interface.address_ipv6 = Some(*v6),
        }
    }
    interface
}

/// The addresses of the default pools, as far as the network has these.
fn within(net: &Net, default: &Interface) -> Interface {
    let pools: Vec<IpNet> = net.create.ipv4.iter().chain(&net.create.ipv6).filter_map(|pool| pool.pool).collect();
    let lies = |address: IpNet| pools.iter().any(|pool| pool.contains(&address));
    Interface {
        mac: default.mac,
        address: default.address.filter(|address| lies((*address).into())),
        address_ipv6: default.address_ipv6.filter(|address| lies((*address).into())),
    }
}

/// The host carries removals through whatever the driver answers: here its answer counts.
fn ask(world: &World<'_>, request: Request) -> Checked<Result<Reply>> {
    let (answer, calls) = world.ask(request)?;
    world.note(&calls);
    let failed = calls.into_iter().find_map(|called| called.error);
    Ok(match failed {
        Some(error) => Err(error),
        None => answer,
    })
}

fn same<T: PartialEq + Debug>(call: &str, field: &str, wanted: Option<&T>, got: &T) -> Checked<()> {
    match wanted {
        Some(wanted) if wanted != got => {
            Err(Stop::failed(call, format!("effects.{field} = {wanted:?}"), format!("{got:?}")))
        }
        _ => Ok(()),
    }
}

/// What the driver said.
fn told(call: &str, effects: &Effects, reply: &Reply) -> Checked<()> {
    match reply {
        Reply::Chosen(chosen) => match effects.mac {
            Some(wanted) if chosen.mac != Some(wanted) => {
                let got = chosen.mac.map_or_else(|| "none".to_owned(), |mac| mac.to_string());
                Err(Stop::failed(call, format!("effects.mac = {wanted}"), got))
            }
            _ => Ok(()),
        },
        Reply::Joined(joined) => told_by_join(call, effects, joined),
        _ => Ok(()),
    }
}

fn told_by_join(call: &str, effects: &Effects, joined: &Joined) -> Checked<()> {
    let Joined { interface, gateway, gateway_ipv6, routes, .. } = joined;
    let ipv4 = gateway.map(IpAddr::from);
    let gateways: BTreeSet<IpAddr> = ipv4.into_iter().chain(gateway_ipv6.map(IpAddr::from)).collect();
    let route = |route: &operation::engine::StaticRoute| match route.next_hop {
        Some(hop) => format!("{} via {hop}", route.destination),
        None => route.destination.to_string(),
    };
    let prefix = interface.as_ref().map_or_else(String::new, |InterfaceName { prefix, .. }| prefix.clone());
    let name = interface.as_ref().and_then(|InterfaceName { name, .. }| name.clone());
    same(call, "prefix", effects.prefix.as_ref(), &prefix)?;
    same(call, "name", effects.name.as_ref().map(|name| Some(name.clone())).as_ref(), &name)?;
    same(call, "gateways", effects.gateways.as_ref(), &gateways)?;
    same(call, "routes", effects.routes.as_ref(), &routes.iter().map(route).collect())
}

/// What is on the host.
fn seen(call: &str, effects: &Effects, before: &Seen, now: &Seen) -> Checked<()> {
    let (mut links, mut nft_rules, mut addresses) = (BTreeMap::new(), 0, BTreeSet::new());
    for line in now.since(before) {
        let (sign, line) = line.split_at(2);
        let more = if sign == "+ " { 1 } else { -1 };
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["host:", "link", _, kind, ..] => {
                *links.entry(kind.trim_matches(['(', ')']).to_owned()).or_insert(0) += more
            }
            ["host:", "nftables", ..] => nft_rules += more,
            ["host:", "address", address, ..] if more > 0 => addresses.extend(address.parse::<IpNet>().ok()),
            _ => {}
        }
    }
    links.retain(|_, count| *count != 0);
    same(call, "links", effects.links.as_ref(), &links)?;
    same(call, "nft_rules", effects.nft_rules.as_ref(), &nft_rules)?;
    same(call, "addresses", effects.addresses.as_ref(), &addresses)
}

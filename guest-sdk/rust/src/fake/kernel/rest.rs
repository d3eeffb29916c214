//! Namespaces, addresses, routes, rules, neighbours, sysctls and forwarding.

pub(crate) mod namespaces {
    use crate::fake::state::{self, HOST, MadeNamespace};
    use crate::fake::sys::Namespace;
    use crate::{Error, Result};

    pub(crate) fn host() -> Namespace {
        Namespace(HOST)
    }

    pub(crate) fn same(one: &Namespace, other: &Namespace) -> bool {
        one.0 == other.0
    }

    pub(crate) fn remove(namespace: &Namespace) -> Result<()> {
        state::with(|state| {
            if !state.namespaces.contains_key(&namespace.0) {
                return Err(Error::forbidden("the driver did not make this namespace"));
            }
            state.remove_namespace(namespace.0);
            Ok(())
        })
    }

    pub(crate) fn add(name: &str) -> Result<Namespace> {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(is_good) {
            return Err(Error::invalid_argument(format!("namespace {name:?}: 1 to 32 letters, digits, - or _")));
        }
        if get(name).is_ok() {
            return Err(Error::already_exists(format!("the network has a namespace {name}")));
        }
        state::with(|state| {
            let id = state.next();
            state.namespaces.insert(id, MadeNamespace { owner: state.owner.clone(), name: name.to_owned() });
            Ok(Namespace(id))
        })
    }

    pub(crate) fn get(name: &str) -> Result<Namespace> {
        state::with(|state| {
            let is_it = |made: &MadeNamespace| made.name == name && made.owner.network == state.owner.network;
            let found = state.namespaces.iter().find(|(_, made)| is_it(made)).map(|(id, _)| Namespace(*id));
            found.ok_or_else(|| Error::not_found(format!("the network has no namespace {name}")))
        })
    }
}

pub(crate) mod addresses {
    use ipnet::IpNet;

    use crate::addresses::LinkAddress;
    use crate::fake::kernel::{all_or_nothing, with_link};
    use crate::fake::state;
    use crate::fake::sys::Link;
    use crate::{Error, Result};

    /// Refuses an address outside of the pools.
    pub(crate) fn check(address: IpNet) -> Result<()> {
        if state::with(|state| state.is_in_pools(address.addr())) {
            return Ok(());
        }
        Err(Error::forbidden(format!("{address} lies in none of the network's pools")))
    }

    pub(crate) fn add(addresses: &[LinkAddress]) -> Result<()> {
        all_or_nothing(|| {
            addresses.iter().try_for_each(|LinkAddress { link, address }| {
                check(*address)?;
                if list(&link.0)?.contains(address) {
                    return Err(Error::already_exists(format!("the link has {address}")));
                }
                with_link(link.0.0, |link| link.addresses.push(*address))
            })
        })
    }

    pub(crate) fn remove(addresses: &[LinkAddress]) -> Result<()> {
        let remove_one = |LinkAddress { link, address }: &LinkAddress| {
            with_link(link.0.0, |link| link.addresses.retain(|own| own != address))
        };
        addresses.iter().try_for_each(remove_one)
    }

    pub(crate) fn list(link: &Link) -> Result<Vec<IpNet>> {
        with_link(link.0, |link| link.addresses.clone())
    }
}

pub(crate) mod routes {
    use crate::Result;
    use crate::fake::kernel::{all_or_nothing, with_link};
    use crate::fake::sys::Link;
    use crate::routes::{Route, RouteInfo};

    const MAIN: u32 = 254;

    fn info(route: &Route) -> RouteInfo {
        let table = route.table.unwrap_or(MAIN);
        RouteInfo { destination: route.destination.trunc(), gateway: route.gateway, table, metric: route.metric }
    }

    pub(crate) fn add(routes: &[Route]) -> Result<()> {
        all_or_nothing(|| {
            routes.iter().try_for_each(|route| {
                super::addresses::check(route.destination)?;
                with_link(route.link.0.0, |link| link.routes.push(info(route)))
            })
        })
    }

    pub(crate) fn remove(routes: &[Route]) -> Result<()> {
        let remove_one =
            |route: &Route| with_link(route.link.0.0, |link| link.routes.retain(|own| *own != info(route)));
        routes.iter().try_for_each(remove_one)
    }

    pub(crate) fn list(link: &Link) -> Result<Vec<RouteInfo>> {
        with_link(link.0, |link| link.routes.clone())
    }
}

pub(crate) mod rules {
    use crate::fake::kernel::all_or_nothing;
    use crate::fake::state::{self, HOST, PolicyRule, State};
    use crate::fake::sys::Namespace;
    use crate::rules::{Rule, RuleInfo};
    use crate::{Error, Result};

    fn recorded(state: &State, namespace: Option<&Namespace>, rule: &Rule) -> PolicyRule {
        let &Rule { priority, source, destination, mark, table, .. } = rule;
        PolicyRule {
            owner: state.owner.clone(),
            namespace: namespace.map_or(HOST, |namespace| namespace.0),
            info: RuleInfo { priority, source, destination, mark, table },
            input_link: rule.input_link.map(|link| link.0.0),
        }
    }

    pub(crate) fn add(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
        all_or_nothing(|| {
            for rule in rules {
                if rule.source.is_none() && rule.destination.is_none() && rule.input_link.is_none() {
                    return Err(Error::invalid_argument("a rule without source, destination or input link"));
                }
                rule.source.into_iter().chain(rule.destination).try_for_each(super::addresses::check)?;
                state::with(|state| state.policy_rules.push(recorded(state, namespace, rule)));
            }
            Ok(())
        })
    }

    pub(crate) fn remove(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
        state::with(|state| {
            let gone: Vec<_> = rules.iter().map(|rule| recorded(state, namespace, rule)).collect();
            state.policy_rules.retain(|rule| !gone.contains(rule));
        });
        Ok(())
    }

    pub(crate) fn list(namespace: Option<&Namespace>) -> Result<Vec<RuleInfo>> {
        let namespace = namespace.map_or(HOST, |namespace| namespace.0);
        let here = |rule: &&PolicyRule| rule.namespace == namespace;
        Ok(state::with(|state| state.policy_rules.iter().filter(here).map(|rule| rule.info).collect()))
    }
}

pub(crate) mod neighbours {
    use crate::Result;
    use crate::fake::kernel::{all_or_nothing, with_link};
    use crate::fake::sys::Link;
    use crate::neighbours::{ForwardingEntry, ForwardingInfo, Neighbour, NeighbourInfo};

    pub(crate) fn add(neighbours: &[Neighbour]) -> Result<()> {
        all_or_nothing(|| {
            remove(neighbours)?;
            neighbours.iter().try_for_each(|&Neighbour { link, address, mac_address }| {
                with_link(link.0.0, |link| link.neighbours.push(NeighbourInfo { address, mac_address }))
            })
        })
    }

    pub(crate) fn remove(neighbours: &[Neighbour]) -> Result<()> {
        neighbours.iter().try_for_each(|neighbour| {
            with_link(neighbour.link.0.0, |link| link.neighbours.retain(|own| own.address != neighbour.address))
        })
    }

    pub(crate) fn list(link: &Link) -> Result<Vec<NeighbourInfo>> {
        with_link(link.0, |link| link.neighbours.clone())
    }

    pub(crate) fn add_forwarding(entries: &[ForwardingEntry]) -> Result<()> {
        all_or_nothing(|| {
            remove_forwarding(entries)?;
            entries.iter().try_for_each(|&ForwardingEntry { link, mac_address, remote }| {
                with_link(link.0.0, |link| link.forwarding.push(ForwardingInfo { mac_address, remote }))
            })
        })
    }

    pub(crate) fn remove_forwarding(entries: &[ForwardingEntry]) -> Result<()> {
        entries.iter().try_for_each(|entry| {
            with_link(entry.link.0.0, |link| link.forwarding.retain(|own| own.mac_address != entry.mac_address))
        })
    }

    pub(crate) fn list_forwarding(link: &Link) -> Result<Vec<ForwardingInfo>> {
        with_link(link.0, |link| link.forwarding.clone())
    }
}

pub(crate) mod sysctls {
    use crate::fake::kernel::with_link;
    use crate::fake::state::{self, HOST};
    use crate::fake::sys::{Link, Namespace};
    use crate::sysctls::{LinkSysctl, NamespaceSysctl};
    use crate::{Error, Result};

    pub(crate) fn get_link(link: &Link, name: LinkSysctl) -> Result<i32> {
        with_link(link.0, |link| link.sysctls.get(&name).copied().unwrap_or_default())
    }

    pub(crate) fn set_link(link: &Link, name: LinkSysctl, value: i32) -> Result<()> {
        with_link(link.0, |link| link.sysctls.insert(name, value)).map(drop)
    }

    pub(crate) fn get_namespace(namespace: &Namespace, name: NamespaceSysctl) -> Result<i32> {
        check(namespace)?;
        Ok(state::with(|state| state.namespace_sysctls.get(&(namespace.0, name)).copied().unwrap_or_default()))
    }

    pub(crate) fn set_namespace(namespace: &Namespace, name: NamespaceSysctl, value: i32) -> Result<()> {
        check(namespace)?;
        state::with(|state| state.namespace_sysctls.insert((namespace.0, name), value));
        Ok(())
    }

    fn check(namespace: &Namespace) -> Result<()> {
        if namespace.0 == HOST { Err(Error::forbidden("the host's settings need a grant")) } else { Ok(()) }
    }
}

pub(crate) mod forwarding {
    use crate::Result;
    use crate::fake::kernel::with_link;
    use crate::fake::sys::Link;

    pub(crate) fn allow(link: &Link, ipv4: bool, ipv6: bool) -> Result<()> {
        with_link(link.0, |link| link.forwards = (ipv4, ipv6))
    }

    pub(crate) fn disallow(link: &Link) -> Result<()> {
        with_link(link.0, |link| link.forwards = (false, false))
    }
}

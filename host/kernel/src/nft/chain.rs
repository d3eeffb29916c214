//! Chains and their names: base chains, such as `nat-prerouting-dstnat` and `filter-forward-0`, and behind them the chains of ports, such as
//! `nat-prerouting-dstnat/tcp-80`, and a driver's own, such as `filter-forward-0/own/policy`.

use crate::{NftChain, NftHandle, NftHook, NftOwnChain, NftPort};

/// The priorities that nft has names for (and none for 0, which is only `filter` in filter chains).
const PRIORITIES: [(&str, i32); 5] =
    [("raw", -300), ("mangle", -150), ("dstnat", -100), ("security", 50), ("srcnat", 100)];
const HOOKS: [(&str, NftHook); 5] = [
    ("prerouting", NftHook::Prerouting),
    ("input", NftHook::Input),
    ("forward", NftHook::Forward),
    ("output", NftHook::Output),
    ("postrouting", NftHook::Postrouting),
];

/// IPPROTO_* that have ports, as nft calls them.
const PROTOCOLS: [(&str, u8); 3] = [("tcp", 6), ("udp", 17), ("sctp", 132)];
/// What the map of a base chain is called behind its name.
const MAP: &str = "ports";
/// What stands between a base chain's name and that of an own chain.
const OWN: &str = "/own/";

/// NF_INET_* (linux/netfilter.h).
pub(super) fn hook_number(hook: NftHook) -> u32 {
    match hook {
        NftHook::Prerouting => 0,
        NftHook::Input => 1,
        NftHook::Forward => 2,
        NftHook::Output => 3,
        NftHook::Postrouting => 4,
    }
}

/// The chain's type in the kernel's words.
pub(super) fn kind(chain: NftChain) -> &'static str {
    if chain.nat { "nat" } else { "filter" }
}

/// The chain's name.
pub(super) fn name(chain: NftChain) -> String {
    let hook = HOOKS.iter().find(|(_, hook)| *hook == chain.hook).map_or("", |(name, _)| name);
    match PRIORITIES.iter().find(|(_, priority)| *priority == chain.priority) {
        Some((priority, _)) => format!("{}-{hook}-{priority}", kind(chain)),
        None => format!("{}-{hook}-{}", kind(chain), chain.priority),
    }
}

/// The name of a base chain, or of a port's behind it.
pub(super) fn name_of(chain: NftChain, port: Option<NftPort>) -> String {
    let Some(NftPort { protocol, port }) = port else { return name(chain) };
    match PROTOCOLS.iter().find(|(_, number)| *number == protocol) {
        Some((protocol, _)) => format!("{}/{protocol}-{port}", name(chain)),
        None => format!("{}/{protocol}-{port}", name(chain)),
    }
}

/// The name of an own chain behind a base chain.
pub(super) fn own_name(base: NftChain, name: &str) -> String {
    format!("{}{OWN}{name}", self::name(base))
}

/// The own chain of a name; none where the name is not one that [`own_name`] makes.
pub(super) fn own(text: &str) -> Option<NftOwnChain> {
    let (base, name) = text.split_once(OWN)?;
    Some(NftOwnChain { base: parse(base)?, name: name.to_owned() })
}

/// The name of the chain in which a rule is.
pub(super) fn name_of_place(chain: NftChain, port: Option<NftPort>, own: Option<&str>) -> String {
    own.map_or_else(|| name_of(chain, port), |own| own_name(chain, own))
}

/// Where in the chains that are made here a rule is, its handle not known yet; none where the chain's name is not one that [`name_of_place`] makes.
pub(super) fn place_of_rule(text: &str) -> Option<NftHandle> {
    if let Some(NftOwnChain { base, name }) = own(text) {
        return Some(NftHandle { chain: base, port: None, own: Some(name), handle: 0 });
    }
    place(text).map(|(chain, port)| NftHandle { chain, port, own: None, handle: 0 })
}

/// The name of the map that leads from a base chain to those of its ports.
pub(super) fn map_name(chain: NftChain) -> String {
    format!("{}/{MAP}", name(chain))
}

/// The base chain of a map; none where the name is not one that [`map_name`] makes.
pub(super) fn of_map(text: &str) -> Option<NftChain> {
    text.split_once('/').filter(|(_, map)| *map == MAP).and_then(|(chain, _)| parse(chain))
}

/// The chain of a name; none where the name is not one that [`name_of`] makes.
fn place(text: &str) -> Option<(NftChain, Option<NftPort>)> {
    let Some((base, of_port)) = text.split_once('/') else { return Some((parse(text)?, None)) };
    let (protocol, port) = of_port.split_once('-')?;
    let named = PROTOCOLS.iter().find(|(name, _)| *name == protocol).map(|(_, number)| *number);
    let port = NftPort { protocol: named.or_else(|| protocol.parse().ok())?, port: port.parse().ok()? };
    let place = (parse(base)?, Some(port));
    (name_of(place.0, place.1) == text).then_some(place)
}

/// The base chain of a name; none where the name is not one that [`name`] makes.
fn parse(text: &str) -> Option<NftChain> {
    let mut parts = text.splitn(3, '-');
    let nat = match parts.next()? {
        "nat" => true,
        "filter" => false,
        _ => return None,
    };
    let hook = parts.next()?;
    let hook = HOOKS.iter().find(|(name, _)| *name == hook)?.1;
    let priority = parts.next()?;
    let named = PRIORITIES.iter().find(|(name, _)| *name == priority).map(|(_, number)| *number);
    let chain = NftChain { nat, hook, priority: named.or_else(|| priority.parse().ok())? };
    (name(chain) == text).then_some(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let names = ["nat-prerouting-dstnat", "filter-forward-0", "filter-input--10", "nat-postrouting-srcnat"];
        for text in names {
            assert_eq!(parse(text).map(name).as_deref(), Some(text));
            assert_eq!(place(text).map(|(chain, port)| name_of(chain, port)).as_deref(), Some(text));
            let map = parse(text).map(map_name).unwrap_or_default();
            assert_eq!((of_map(&map), of_map(text), place(&map)), (parse(text), None, None));
        }
        for text in ["nat-prerouting-dstnat/tcp-80", "filter-input--10/sctp-65535", "filter-forward-0/136-7"] {
            assert_eq!(place(text).map(|(chain, port)| name_of(chain, port)).as_deref(), Some(text));
            assert_eq!((parse(text), of_map(text)), (None, None));
        }
        let text = "filter-input--10/own/a-80";
        let found = place_of_rule(text).unwrap();
        assert_eq!(name_of_place(found.chain, found.port, found.own.as_deref()), text);
        assert_eq!((parse(text), of_map(text), place(text), own("x/own/a")), (None, None, None, None));
        let others = ["filter-forward", "nat-prerouting--100", "filter-forward-+0", "x-forward-0", "filter-x-0", ""];
        assert!(others.iter().all(|text| parse(text).is_none()));
        let others = ["x/tcp-80", "filter-forward-0/tcp-080", "filter-forward-0/6-80", "filter-forward-0/tcp-65536"];
        assert!(others.iter().all(|text| place(text).is_none()));
    }
}

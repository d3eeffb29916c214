//! What a network has in the kernel, for people: each object a line, and below a link what is on it.

use std::collections::BTreeMap;

use super::describe;
use crate::firewall::is_hosts;
use kernel::{
    BridgeVlan, Change, LinkOptions, NftField, NftMember, NftProperty, NftRate, NftRule, NftStatement, NftVerdict,
    Rate, Rule, Sysctl,
};
use store::{Again, Object, Part, Thing};

/// The objects of a network in lines. Settings are those that were made of links of the host; of other links only the kernel knows them.
pub fn shown(objects: &[Object], parts: &[Part]) -> Vec<String> {
    let links = objects.iter().filter_map(|object| match &object.thing {
        Thing::Link { index, name, .. } => Some((*index, name.as_str())),
        _ => None,
    });
    let names: BTreeMap<u32, &str> = links.collect();
    objects.iter().flat_map(|object| lines(object, parts, &names)).collect()
}

fn lines(object: &Object, parts: &[Part], names: &BTreeMap<u32, &str>) -> Vec<String> {
    let first = describe(&object.thing);
    match &object.thing {
        Thing::Link { name, again, .. } => {
            let on = parts.iter().filter(|part| part.link == object.id).map(|part| of_part(part, name));
            let settings = again.iter().flat_map(|again| settings(again, name));
            std::iter::once(first).chain(on).chain(settings).collect()
        }
        Thing::NftRule { rule: Some(rule), .. } => vec![format!("{first}: {}", of_packets(rule, names))],
        Thing::Rule(rule) if !is_hosts(rule) => vec![format!("{first}: {}", of_policy(rule, names))],
        _ => vec![first],
    }
}

fn of_part(part: &Part, link: &str) -> String {
    let Part { kind, key, .. } = part;
    match *kind {
        Part::ROUTE => {
            // Destination and gateway come first in what routes are told apart by.
            let mut words = key.split(' ');
            let destination = words.next().unwrap_or_default();
            let gateway = words.next().and_then(|word| word.strip_prefix("Some(")?.strip_suffix(')'));
            let by = gateway.map(|gateway| format!(" by {gateway}")).unwrap_or_default();
            format!("route to {destination}{by} through {link}")
        }
        Part::FORWARDING => format!("forwarding entry {key} on {link}"),
        Part::PORT => format!("port {key}/udp of {link}"),
        _ => format!("{kind} {key} on {link}"),
    }
}

fn settings<'a>(again: &'a Again, link: &'a str) -> impl Iterator<Item = String> + 'a {
    again.on.iter().filter_map(move |change| match change {
        Change::SetSysctl { sysctl: Sysctl::Link { family, name, .. }, value, .. } => {
            Some(format!("setting {family} {name} = {value} of {link}"))
        }
        Change::SetRate { rate: Some(Rate { bytes, burst }), .. } => {
            Some(format!("rate of {link}: {bytes} bytes a second in bursts of {burst}"))
        }
        Change::SetOptions { options, .. } if !options.is_empty() => Some(of_options(options, link)),
        Change::Redirect { to: Some(to), .. } => Some(format!("{link} receives through link {to}")),
        _ => None,
    })
}

fn of_options(options: &LinkOptions, link: &str) -> String {
    let set = options.set.iter().map(|(option, value)| format!("{} {value}", option.name()));
    let vlan = |vlan: &BridgeVlan| {
        let default = if vlan.default { " by default" } else { "" };
        let untagged = if vlan.untagged { " untagged" } else { "" };
        format!("{}{default}{untagged}", vlan.id)
    };
    let vlans =
        options.vlans.iter().map(|all| format!("VLANs {}", all.iter().map(vlan).collect::<Vec<_>>().join(", ")));
    format!("{link}: {}", set.chain(vlans).collect::<Vec<_>>().join(", "))
}

/// Conditions and verdict, much as `nft` writes them. A link that is not the network's own has its number.
fn of_packets(rule: &NftRule, names: &BTreeMap<u32, &str>) -> String {
    let link = |index: &u32| names.get(index).map_or_else(|| format!("link {index}"), |name| (*name).to_owned());
    let links = |all: &[u32]| all.iter().map(link).collect::<Vec<_>>().join(", ");
    let ports = |(first, last): (u16, u16)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    let conditions = rule.conditions.iter().map(|condition| {
        let text = match &condition.property {
            NftProperty::InputLink(index) => format!("iif {}", link(index)),
            NftProperty::OutputLink(index) => format!("oif {}", link(index)),
            NftProperty::InputGroup(group) => format!("iifgroup {group}"),
            NftProperty::InputLinks(all) => format!("iif {{{}}}", links(all)),
            NftProperty::OutputLinks(all) => format!("oif {{{}}}", links(all)),
            NftProperty::Source(net) => format!("saddr {net}"),
            NftProperty::Destination(net) => format!("daddr {net}"),
            NftProperty::DestinationLocal => "daddr local".to_owned(),
            NftProperty::Protocol(number) => format!("protocol {number}"),
            NftProperty::SourcePort(first, last) => format!("sport {}", ports((*first, *last))),
            NftProperty::DestinationPort(first, last) => format!("dport {}", ports((*first, *last))),
            NftProperty::Connection(bits) => format!("ct state {bits:#x}"),
            NftProperty::DestinationTranslated => "ct status dnat".to_owned(),
            NftProperty::Member(NftMember { field, set, .. }) => format!("{} @{set}", part(*field)),
            NftProperty::Mark { value, mask } => format!("mark {value:#x}/{mask:#x}"),
            NftProperty::TcpFlags { set, mask } => format!("tcp flags {set:#x}/{mask:#x}"),
            NftProperty::IcmpType(number) => format!("icmp type {number}"),
            NftProperty::EtherSource(mac) => format!("ether saddr {mac}"),
            NftProperty::EtherDestination(mac) => format!("ether daddr {mac}"),
            NftProperty::EtherType(number) => format!("ether type {number:#06x}"),
        };
        if condition.negated { format!("not {text}") } else { text }
    });
    let to = |address: &std::net::IpAddr, port: &Option<u16>| match port {
        Some(port) => std::net::SocketAddr::from((*address, *port)).to_string(),
        None => address.to_string(),
    };
    let verdict = match &rule.verdict {
        NftVerdict::Accept => "accept".to_owned(),
        NftVerdict::Drop => "drop".to_owned(),
        NftVerdict::Masquerade => "masquerade".to_owned(),
        NftVerdict::SourceNat(address, port) => format!("snat to {}", to(address, port)),
        NftVerdict::DestinationNat(address, port) => format!("dnat to {}", to(address, port)),
        NftVerdict::DestinationNatBy(map) => format!("dnat by @{}", map.name),
        NftVerdict::Proceed => "go on".to_owned(),
        NftVerdict::Reject(rejection) => format!("reject {rejection:?}"),
        NftVerdict::Log { prefix, rate } => format!("log {prefix:?}, {rate} a second"),
        NftVerdict::Jump(to) => format!("jump {to}"),
        NftVerdict::Goto(to) => format!("goto {to}"),
        NftVerdict::Return => "return".to_owned(),
    };
    let statements = rule.statements.iter().map(|statement| match statement {
        NftStatement::Counter => "counter".to_owned(),
        NftStatement::Limit(NftRate { amount, of_bytes, over, .. }) => {
            let (unit, how) = (if *of_bytes { "bytes" } else { "packets" }, if *over { "over " } else { "" });
            format!("limit {how}{amount} {unit} a second")
        }
        NftStatement::SetMark { value, mask } => format!("set mark {value:#x}/{mask:#x}"),
        NftStatement::SetMarkBy { field, map, mask } => {
            format!("set mark {mask:#x} by {} @{}", part(*field), map.name)
        }
        NftStatement::ClampSegments(Some(size)) => format!("clamp segments to {size}"),
        NftStatement::ClampSegments(None) => "clamp segments to the route".to_owned(),
        NftStatement::Untrack => "untrack".to_owned(),
    });
    let hook = format!("{:?}", rule.chain.hook).to_lowercase();
    let all: Vec<_> = conditions.chain(statements).chain([verdict]).collect();
    let own = rule.own.as_ref().map(|own| format!(" chain {own}")).unwrap_or_default();
    format!("{hook} {}{own}: {}", rule.chain.priority, all.join(" "))
}

fn part(field: NftField) -> &'static str {
    match field {
        NftField::Source => "saddr",
        NftField::Destination => "daddr",
        NftField::SourcePort => "sport",
        NftField::DestinationPort => "dport",
    }
}

fn of_policy(rule: &Rule, names: &BTreeMap<u32, &str>) -> String {
    let own = |name: &words::LinkName| {
        let index = kernel::index_of_own_name(name);
        index.and_then(|index| names.get(&index)).map_or_else(|| name.to_string(), |name| (*name).to_owned())
    };
    let parts = [
        rule.source.map(|net| format!("from {net}")),
        rule.destination.map(|net| format!("to {net}")),
        rule.input.as_ref().map(|name| format!("iif {}", own(name))),
        rule.mark.map(|(mark, mask)| format!("mark {mark:#x}/{mask:#x}")),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let family = if rule.ipv6 { "all of IPv6" } else { "all of IPv4" };
    if parts.is_empty() { family.to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{LinkKey, Namespace, NftChain, NftCondition, NftHandle, NftHook};
    use words::Id;

    fn object(id: i64, thing: Thing) -> Object {
        let network = Id::new("n").unwrap();
        Object { id, network, endpoint: None, thing }
    }

    #[test]
    fn every_object_with_what_is_on_it() {
        let set = |name| Change::SetSysctl {
            namespace: Namespace::Host,
            sysctl: Sysctl::Link { family: "ipv6", index: 7, name },
            value: 0,
        };
        let address =
            Change::AddAddress(LinkKey { namespace: Namespace::Host, index: 7 }, "10.0.0.1/24".parse().unwrap());
        let again = Again { on: vec![set("accept_ra"), address], ..Again::default() };
        let (name, peer, again) = ("blue".to_owned(), None, Some(Box::new(again)));
        let link = Thing::Link { namespace: Namespace::Host, index: 7, name, peer, parent: None, again };
        let is = |property, negated| NftCondition { property, negated };
        let chain = NftChain { nat: false, hook: NftHook::Forward, priority: -1 };
        let conditions = vec![is(NftProperty::InputLink(7), false), is(NftProperty::OutputLinks(vec![7, 9]), true)];
        let (statements, verdict, own) = (Vec::new(), NftVerdict::Jump("inner".into()), Some("outer".into()));
        let rule = NftRule { chain, conditions, statements, verdict, own, comment: String::new() };
        let handle = NftHandle { chain, port: None, own: None, handle: 3 };
        let (table, rule) = ("t".to_owned(), Some(rule));
        let packets = Thing::NftRule { namespace: Namespace::Host, table, handle, rule, port: None };
        let policy = Thing::Rule(Rule {
            namespace: Namespace::Host,
            ipv6: false,
            priority: 100,
            source: Some("10.0.0.0/24".parse().unwrap()),
            destination: None,
            input: Some(kernel::own_name(7).unwrap()),
            mark: Some((1, 15)),
            table: 5,
        });
        let part = |link, kind, key: &str| Part { link, kind, key: key.to_owned() };
        let parts = [
            part(1, Part::ADDRESS, "10.0.0.1/24"),
            part(1, Part::ROUTE, "10.9.0.0/16 Some(10.0.0.2) None None None"),
            part(1, Part::ROUTE, "0.0.0.0/0 None None Some(5) None"),
            part(1, Part::PORT, "4789"),
            part(9, Part::ADDRESS, "of another link"),
        ];
        let expected = [
            "link blue",
            "address 10.0.0.1/24 on blue",
            "route to 10.9.0.0/16 by 10.0.0.2 through blue",
            "route to 0.0.0.0/0 through blue",
            "port 4789/udp of blue",
            "setting ipv6 accept_ra = 0 of blue",
            "nftables rule 3 of t: forward -1 chain outer: iif blue not oif {blue, link 9} jump inner",
            "rule 100 for table 5: from 10.0.0.0/24 iif blue mark 0x1/0xf",
        ];
        assert_eq!(shown(&[object(1, link), object(2, packets), object(3, policy)], &parts), expected);
    }
}

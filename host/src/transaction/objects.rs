//! What the objects of a network say of links.

use std::collections::BTreeMap;

use kernel::{LinkKey, Namespace, Rule, index_of_own_name};
use store::Thing;

/// Whether it lets a link forward: not only from port to port.
pub(super) fn forwards(thing: &Thing) -> bool {
    matches!(thing, Thing::Forward { ipv4, ipv6, .. } if *ipv4 || *ipv6)
}

/// Whether a thing is for one of these links, which are given with the names under which they were made: it goes with it.
pub(super) fn speaks_of(thing: &Thing, links: &BTreeMap<LinkKey, String>) -> bool {
    let by_index = |namespace: &Namespace, index| links.contains_key(&LinkKey { namespace: namespace.clone(), index });
    // What 0.1.0 has made.
    let by_name = |namespace: &Namespace, name: &str| {
        links.iter().any(|(link, known)| link.namespace == *namespace && known == name)
    };
    match thing {
        Thing::NftRule { namespace, rule: Some(rule), .. } => {
            rule.needed_links().into_iter().any(|index| by_index(namespace, index))
        }
        Thing::Rule(Rule { namespace, input: Some(input), .. }) => match index_of_own_name(input) {
            Some(index) => by_index(namespace, index),
            None => by_name(namespace, input.as_str()),
        },
        Thing::Path(path) => path.links().any(|link| links.contains_key(&link)),
        Thing::Proxy(proxy) => links.contains_key(&proxy.link),
        Thing::Forward { name, index: 0, .. } => by_name(&Namespace::Host, name),
        Thing::Forward { index, .. } => by_index(&Namespace::Host, *index),
        _ => false,
    }
}

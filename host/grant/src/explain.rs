//! A grant in plain sentences, for whoever decides on it.

use super::{ANY, Grant, Item, Limit, NamespaceKind, Permission, Range};

/// A sentence for each permission: what the driver may do, to what, and how much of it. Then what every driver may, and what is granted in
/// vain because the permission that uses it is missing. The same grant gives the same sentences.
pub fn explain(grant: &Grant) -> Vec<String> {
    let mut sentences: Vec<_> = grant.permissions.iter().map(|permission| sentence(grant, *permission)).collect();
    if sentences.is_empty() {
        sentences.push("It may change nothing of the host.".to_owned());
    }
    if !grant.pools.is_empty() {
        let ranges = words(&grant.pools, "", Range::to_string);
        sentences.push(format!(
            "It may give networks pools, and endpoints addresses, of {ranges}, where it manages addresses."
        ));
    }
    let most = |limit| grant.limit(limit);
    sentences.push(format!(
        "Like every driver it may read its configuration and the clock, ask for random bytes and log ({} bytes a second). \
         Each of its calls has {} MiB of memory, {} ms and {} host calls.",
        most(Limit::LogBytesPerSecond),
        most(Limit::MemoryMib),
        most(Limit::CallMilliseconds),
        most(Limit::HostCalls)
    ));
    sentences.extend(in_vain(grant));
    sentences
}

/// A new permission does not compile until it has its sentence.
fn sentence(grant: &Grant, permission: Permission) -> String {
    let most = |limit| grant.limit(limit);
    let text = match permission {
        Permission::Links => format!(
            "make, change and remove links of its own {}, with {}{}. At most {} links, {} addresses and {} neighbours",
            places(grant),
            addresses(grant),
            parents(grant),
            most(Limit::Links),
            most(Limit::Addresses),
            most(Limit::Neighbours)
        ),
        Permission::LinkSettings => {
            format!("change kernel settings of its own links: {}", settings(grant, true))
        }
        Permission::NamespaceSettings => {
            format!("change kernel settings of a whole network namespace: {}", settings(grant, false))
        }
        Permission::Namespaces => {
            format!("make and remove network namespaces of its own. At most {}", most(Limit::Namespaces))
        }
        Permission::Routing => format!(
            "add and remove routes through its own links, to {}, and policy rules for {}. At most {} routes and {} rules",
            words(&grant.routes, "nowhere", route),
            addresses(grant),
            most(Limit::Routes),
            most(Limit::Rules)
        ),
        Permission::PacketFilter => format!(
            "add and remove nftables rules {} about {}, at the hooks {}{}. At most {} rules, and {} sets with {} elements",
            places(grant),
            addresses(grant),
            hooks(grant),
            marks(grant),
            most(Limit::Rules),
            most(Limit::Sets),
            most(Limit::SetElements)
        ),
        Permission::Forwarding => {
            "have the host's firewall let packets pass between its own links and others. Each such link \
                                   counts as a rule"
                .to_owned()
        }
        Permission::HostPorts => format!("take ports of the host that nothing uses. At most {}", most(Limit::Ports)),
        Permission::ChangedParents => {
            format!(
                "make links that change the interface below them: its MAC address, or what it listens to{}",
                parents(grant)
            )
        }
        Permission::Shaping => format!(
            "limit how fast its own links send and receive, for which it makes links {}. At most {} links",
            places(grant),
            most(Limit::Links)
        ),
        Permission::Devices => {
            format!(
                "give containers devices of the host's, which the host doesn't have meanwhile and has again as they were{}",
                parents(grant)
            )
        }
        Permission::Uplinks => {
            "give containers also the devices by which the host's packets leave for the outside".to_owned()
        }
        Permission::ParentRoutes => {
            format!(
                "have the host send packets for {} by interfaces that are not its own, and answer for addresses there{}",
                words(&grant.routes, "nowhere", route),
                parents(grant)
            )
        }
        Permission::PacketLog => {
            "have nftables rules write into the kernel's log, 80 lines a second for each network".to_owned()
        }
        Permission::UntrackedPackets => {
            "keep its networks' packets out of connection tracking: rules that go by connections don't see them"
                .to_owned()
        }
        Permission::Store => format!("remember {} bytes between its calls", most(Limit::StoreBytes)),
        Permission::Tables => format!(
            "read and write {} of its own networks, which other hosts see. At most {} entries and {} bytes",
            words(&grant.tables, "no table", |name| if name == ANY {
                "all tables".to_owned()
            } else {
                format!("the table {name}")
            }),
            most(Limit::TableEntries),
            most(Limit::TableBytes)
        ),
    };
    format!("{permission}: it may {text}.")
}

fn words<T>(all: impl IntoIterator<Item = T>, none: &str, word: impl FnMut(T) -> String) -> String {
    let all: Vec<_> = all.into_iter().map(word).collect();
    match all.as_slice() {
        [] => none.to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn places(grant: &Grant) -> String {
    let own = grant.permissions.contains(&Permission::Namespaces).then(|| "in namespaces of its own".to_owned());
    let kinds = grant.namespaces.iter().map(|kind| match kind {
        NamespaceKind::Host => "on the host".to_owned(),
        NamespaceKind::Container => "in containers".to_owned(),
        NamespaceKind::Own => "in namespaces of its own".to_owned(),
    });
    words(kinds.chain(own), "in no namespace", |place| place)
}

fn addresses(grant: &Grant) -> String {
    words(&grant.addresses, "no addresses", |range| match range {
        Range::Network => "addresses of each network's pools".to_owned(),
        other => format!("addresses of {other}"),
    }) + &pools(grant)
}

fn pools(grant: &Grant) -> String {
    match grant.pools.is_empty() {
        true => String::new(),
        false => format!(
            " (where a network is made without pools, it may choose them in {})",
            words(&grant.pools, "", Range::to_string)
        ),
    }
}

fn route(range: &Range) -> String {
    match range {
        Range::Network => "each network's pools".to_owned(),
        Range::Default => "everywhere (a default route)".to_owned(),
        Range::Net(net) => net.to_string(),
    }
}

fn parents(grant: &Grant) -> String {
    if grant.parents.is_empty() {
        return String::new();
    }
    let name = |name: &String| if name == ANY { "any interface of the host".to_owned() } else { name.clone() };
    format!(", on top of {}", words(&grant.parents, "", name))
}

fn settings(grant: &Grant, of_links: bool) -> String {
    let of_kind = grant.sysctls.iter().filter(|sysctl| sysctl.is_of_links() == of_links);
    words(of_kind, "none is named, so it may only read them", |sysctl| sysctl.to_string())
}

fn hooks(grant: &Grant) -> String {
    let at = |priorities: &std::collections::BTreeSet<i32>| words(priorities, "", i32::to_string);
    words(&grant.hooks, "(none)", |(hook, priorities)| format!("{hook} (priority {})", at(priorities)))
}

fn marks(grant: &Grant) -> String {
    match grant.mark_bits.is_none() {
        true => String::new(),
        false => format!(", and set the bits {} of packets' marks", grant.mark_bits),
    }
}

/// What is named and has no effect.
fn in_vain(grant: &Grant) -> Option<String> {
    use Permission as P;
    let has = |all: &[Permission]| all.iter().any(|one| grant.permissions.contains(one));
    let idle = grant.items().into_iter().filter(|item| match item {
        Item::Permission(_) | Item::Limit(..) | Item::Pool(_) => false,
        Item::Namespace(_) => !has(&[P::Links, P::Routing, P::PacketFilter, P::NamespaceSettings, P::Shaping]),
        Item::Address(_) => !has(&[P::Links, P::Routing, P::PacketFilter]),
        Item::Route(_) => !has(&[P::Routing]),
        Item::Parent(_) => !has(&[P::Links]),
        Item::Sysctl(sysctl) => !has(&[if sysctl.is_of_links() { P::LinkSettings } else { P::NamespaceSettings }]),
        Item::Hook(..) | Item::MarkBits(_) => !has(&[P::PacketFilter]),
        Item::Table(_) => !has(&[P::Tables]),
    });
    let text = words(idle, "", |item| item.to_string());
    (!text.is_empty()).then(|| format!("In vain, because the permission that uses it is missing: {text}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HostCall, file};

    fn of(text: &str) -> Vec<String> {
        explain(&file::read("g.toml", text.as_bytes()).unwrap())
    }

    #[test]
    fn a_permission_is_a_sentence_with_what_and_how_much() {
        let table = [
            (
                "permissions = ['links']\nnamespaces = ['host']\naddresses = ['network', '10.0.0.0/8']\nparents = ['*']\nlimits = { links = 7 }",
                "links: it may make, change and remove links of its own on the host, with addresses of each network's pools and \
                 addresses of 10.0.0.0/8, on top of any interface of the host. At most 7 links, 16384 addresses and 65536 neighbours.",
            ),
            (
                "permissions = ['links']",
                "links: it may make, change and remove links of its own in no namespace, with no addresses. \
                 At most 4096 links, 16384 addresses and 65536 neighbours.",
            ),
            (
                "permissions = ['routing']\nroutes = ['default', '10.1.0.0/16']",
                "routing: it may add and remove routes through its own \
                 links, to everywhere (a default route) and 10.1.0.0/16, and policy rules for no addresses. At most 16384 routes and 16384 rules.",
            ),
            (
                "permissions = ['tables']\ntables = ['*']",
                "tables: it may read and write all tables of its own networks, which other hosts see. \
                 At most 65536 entries and 16777216 bytes.",
            ),
            (
                "permissions = ['link-settings', 'store']\nsysctls = ['host.ipv4-forwarding']\nhooks = { forward = [0] }",
                "In vain, because the permission that uses it is missing: sysctls: host.ipv4-forwarding and hooks: forward 0.",
            ),
            ("", "It may change nothing of the host."),
        ];
        for (text, says) in table {
            assert!(of(text).iter().any(|sentence| sentence == says), "{says}\n{:#?}", of(text));
        }
    }

    #[test]
    fn every_permission_has_its_sentence_and_the_sample_grants_name_each_thing() {
        let beside = [
            Permission::ChangedParents,
            Permission::ParentRoutes,
            Permission::PacketLog,
            Permission::UntrackedPackets,
            Permission::Uplinks,
        ];
        for permission in HostCall::ALL.into_iter().filter_map(Permission::of).chain(beside) {
            let said = of(&format!("permissions = ['{permission}']"));
            assert!(said[0].starts_with(&format!("{permission}: it may ")) && said[0].ends_with('.'), "{said:?}");
            assert_eq!(said, of(&format!("permissions = ['{permission}']")), "the same each time");
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sample-drivers/");
        for (name, parts) in [
            (
                "bridge",
                &["on the host and in containers", "forward (priority 0)", "-300 and -100", "At most 40000"][..],
            ),
            (
                "hostile",
                &[
                    "in namespaces of its own",
                    "link.ipv4-proxy-arp",
                    "10.77.0.0/16",
                    "the table own",
                    "At most 20 links",
                ],
            ),
            ("null", &["store: it may remember 16777216 bytes between its calls."]),
        ] {
            let said = of(&std::fs::read_to_string(format!("{folder}{name}/grant.toml")).unwrap()).join("\n");
            parts.iter().for_each(|part| assert!(said.contains(part), "{name}: {part}: {said}"));
            assert!(!said.contains("In vain"), "{name}: {said}");
        }
    }
}

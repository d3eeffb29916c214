//! How a node stands with etcd and with the other nodes, as the daemon sees it.

use super::network::drops;
use super::unknown;
use crate::controller::{Controller, Health, Underlay};
use operation::finding::Finding;

/// Seconds by which etcd's clock may differ from this host's: a second is what its answers are exact to, and what one takes.
const SKEW: u64 = 5;

/// Looks at it; none: this host is no node of a cluster.
pub async fn look(controller: &Controller) -> Vec<Finding> {
    let Some(health) = controller.cluster_health() else { return Vec::new() };
    let mut findings = vec![etcd(&health)];
    findings.extend(health.clock.map(clock));
    match controller.underlay().await {
        Ok(Some(found)) => findings.extend(underlay(&found)),
        Ok(None) => {}
        Err(error) => findings.push(unknown("underlay", &error, error.errno)),
    }
    findings
}

fn etcd(health: &Health) -> Finding {
    let stays = "networks of global scope stay as they are until then";
    match &health.fault {
        Some(fault) => Finding::problem("etcd", format!("{fault}; {stays}"), fault.advice()),
        None if !health.joined || !health.followed => {
            let found = format!("{} has not answered yet; {stays}", health.endpoint);
            Finding::warning("etcd", found, "look again in a moment")
        }
        None => {
            let (endpoint, revision) = (&health.endpoint, health.revision);
            Finding::ok("etcd", format!("{endpoint} answers, and all changes up to revision {revision} are known"))
        }
    }
}

/// Leases do not need it, but certificates do, and so does whoever reads when something was.
fn clock(ahead: i64) -> Finding {
    let differs = ahead.unsigned_abs();
    if differs <= SKEW {
        return Finding::ok("clock", "it is etcd's");
    }
    let found = format!("it is {differs} seconds {} etcd's", if ahead > 0 { "behind" } else { "before" });
    Finding::warning(
        "clock",
        found,
        "have both set by the same time servers: certificates and times in lists depend on it",
    )
}

fn underlay(found: &Underlay) -> Vec<Finding> {
    let Underlay { address, link, wide, port_is_taken, dropping } = found;
    let way = match link {
        None => Finding::problem(
            "underlay",
            format!("no link of this host has {address}, by which the other nodes reach it"),
            "correct `address` of [cluster] in the configuration, or give the address to a link",
        ),
        Some((name, mtu)) if !wide.is_empty() => Finding::warning(
            "underlay",
            format!("{name} carries {mtu} bytes, and wrapped packets of {} are larger", wide.join(", ")),
            format!(
                "give {name} a larger MTU, or make the networks with a smaller one (-o com.docker.network.driver.mtu=BYTES)"
            ),
        ),
        Some((name, mtu)) => Finding::ok("underlay", format!("{name} has {address}, and carries {mtu} bytes")),
    };
    let port = match port_is_taken {
        true => Finding::problem(
            "VXLAN port",
            "UDP port 4789 belongs to something that is no VXLAN link: networks that need it can't be made",
            "see who has it (`ss -ulnp sport = 4789`), and have it use another port",
        ),
        false => Finding::ok("VXLAN port", "UDP port 4789 is VXLAN's, or free"),
    };
    let name = link.as_ref().map_or("", |(name, _)| name);
    let closed = dropping.iter().map(|chain| {
        let found = format!("{} what other nodes send to UDP port 4789 by {name}", drops(chain));
        Finding::warning("VXLAN firewall", found, let_in(&chain.chain, name))
    });
    [way, port].into_iter().chain(closed).collect()
}

/// What opens the port: where the rules are kept, by the program that keeps them.
fn let_in(chain: &str, link: &str) -> String {
    match chain.split(' ').collect::<Vec<_>>()[..] {
        [_, "firewalld", _] => {
            "firewall-cmd --permanent --zone=ZONE --add-port=4789/udp, then firewall-cmd --reload, where ZONE has the link".into()
        }
        [family @ ("ip" | "ip6"), "filter", "INPUT"] => {
            let program = if family == "ip" { "iptables" } else { "ip6tables" };
            format!(
                "let it in where the rules are kept (with ufw: ufw allow in on {link} to any port 4789 proto udp): \
                 {program} -I INPUT -i {link} -p udp --dport 4789 -j ACCEPT"
            )
        }
        _ => format!(
            "let it in, and where the rules are kept (/etc/nftables.conf): \
             nft insert rule {chain} iifname {link} udp dport 4789 accept"
        ),
    }
}

//! What the host does with packets that are forwarded, in the namespace of the calling thread.

use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;

use super::unknown;
use crate::controller::Controller;
use crate::firewall::{self, Exceptions, Found};
use kernel::{Config, DroppingChain, Error, IptablesFamily, Kernel, Namespace, Packet, Sysctl};
use operation::finding::Finding;

/// A change of the firewall by others is mended after half a second at most.
const MENDING: Duration = Duration::from_secs(1);
/// A table that only its owner can change.
const FIREWALLD: &str = "firewalld";
const FAMILIES: [IptablesFamily; 2] = [IptablesFamily::Ipv4, IptablesFamily::Ipv6];

/// Looks at firewall, bridge-nf and forwarding.
pub fn look() -> Vec<Finding> {
    let kernel = Kernel::current_namespace()
        .and_then(|host| Kernel::new(Config { host: host.into(), instance: 0, run_folder: PathBuf::new() }));
    let kernel = match kernel {
        Ok(kernel) => kernel,
        Err(error) => return vec![unknown("network", &error, error.errno)],
    };
    let mut findings = firewalls(&kernel);
    findings.extend(FAMILIES.map(|family| bridge_nf(&kernel, family)));
    findings.push(forwarding(&kernel, "forwarding IPv4", "ipv4/ip_forward"));
    findings.push(ipv6(&kernel));
    findings
}

fn version(family: IptablesFamily) -> &'static str {
    match family {
        IptablesFamily::Ipv4 => "IPv4",
        IptablesFamily::Ipv6 => "IPv6",
    }
}

fn firewalls(kernel: &Kernel) -> Vec<Finding> {
    let host = Namespace::Host;
    let seen =
        kernel.nft_tables(&host).and_then(|tables| Ok((tables, kernel.dropping_chains(&host, &Packet::Forwarded)?)));
    match seen {
        // The rest would be refused as well.
        Err(error) => vec![unknown("firewall", &error, error.errno)],
        Ok((tables, chains)) => {
            let found = FAMILIES.map(|family| (family, firewall::found(kernel, family)));
            // Where it drops, it is watched and mended.
            let mended = |chain: &DroppingChain| {
                found.iter().any(|(family, found)| {
                    chain.chain == forward(*family) && found.as_ref().is_ok_and(|found| found.chain.is_some())
                })
            };
            let others = others(&tables, chains.into_iter().filter(|chain| !mended(chain)).collect());
            found.into_iter().map(|(family, found)| iptables(family, found)).chain(others).collect()
        }
    }
}

/// The chain of iptables-nft.
fn forward(family: IptablesFamily) -> &'static str {
    match family {
        IptablesFamily::Ipv4 => "ip filter FORWARD",
        IptablesFamily::Ipv6 => "ip6 filter FORWARD",
    }
}

fn iptables(family: IptablesFamily, found: Result<Found, Error>) -> Finding {
    let check = format!("firewall {}", version(family));
    match found {
        Err(error) => unknown(check, &error, error.errno),
        Ok(found) if found.legacy => {
            let program = family.program();
            let advice = format!(
                "if the chain FORWARD of {program}-legacy drops, let dockerd use {program}-nft (update-alternatives --set {program} \
                 /usr/sbin/{program}-nft), or except each network's link yourself ({program}-legacy -I FORWARD -i LINK -j ACCEPT, and -o LINK)"
            );
            Finding::warning(check, format!("{found}, which Pontoon does not change"), advice)
        }
        Ok(found) => Finding::ok(check, found.to_string()),
    }
}

/// Firewalls that are not iptables: what Pontoon accepts, they still drop.
fn others(tables: &[String], chains: Vec<DroppingChain>) -> Vec<Finding> {
    let (firewallds, chains): (Vec<_>, Vec<_>) =
        chains.into_iter().partition(|chain| chain.chain.split(' ').nth(1) == Some(FIREWALLD));
    let firewalld = tables.iter().any(|table| table == FIREWALLD).then(|| {
        let found = match firewallds.first() {
            Some(chain) => format!("{} from links that are in none of its zones", dropping(chain)),
            None => "its rules are in force: it may reject what is forwarded from links that are in none of its zones".into(),
        };
        Finding::warning(
            "firewalld",
            found,
            "put each network's link into a zone that accepts: firewall-cmd --permanent --zone=trusted --add-interface=LINK, \
             then firewall-cmd --reload; Pontoon's own rules come back by themselves after that",
        )
    });
    chains.iter().map(strict).chain(firewalld).collect()
}

fn dropping(found: &DroppingChain) -> String {
    format!("{} what is forwarded", drops(found))
}

/// Which chain drops, and by what.
pub(super) fn drops(DroppingChain { chain, rule_in }: &DroppingChain) -> String {
    match rule_in {
        None => format!("the chain {chain} drops by its policy"),
        Some(name) if chain.ends_with(&format!(" {name}")) => format!("the chain {chain} drops or rejects by a rule"),
        Some(name) => format!("the chain {chain} drops or rejects by a rule of {name}, where it leads,"),
    }
}

/// A chain of somebody else's: only there can a packet be let through, by a rule that comes first.
fn strict(found: &DroppingChain) -> Finding {
    let chain = &found.chain;
    let advice = match chain.split(' ').collect::<Vec<_>>()[..] {
        [family, "filter", "FORWARD"] if family != "inet" => {
            let program = if family == "ip" { "iptables" } else { "ip6tables" };
            format!(
                "except each network's link in it, where it stays: {program} -I FORWARD -i LINK -j ACCEPT, and -o LINK"
            )
        }
        _ => format!(
            "except each network's link in it, and where its rules are kept (/etc/nftables.conf): \
             nft insert rule {chain} iifname LINK accept, and oifname LINK"
        ),
    };
    Finding::warning("firewall nftables", dropping(found), advice)
}

fn bridge_nf(kernel: &Kernel, family: IptablesFamily) -> Finding {
    let (check, setting) = match family {
        IptablesFamily::Ipv4 => ("bridge-nf IPv4", "bridge/bridge-nf-call-iptables"),
        IptablesFamily::Ipv6 => ("bridge-nf IPv6", "bridge/bridge-nf-call-ip6tables"),
    };
    match kernel.sysctl(&Namespace::Host, &Sysctl::Namespace(setting)) {
        Ok(0) => Finding::ok(check, "off: bridges pass packets on by themselves"),
        Ok(_) => Finding::ok(check, "on: what a bridge passes on goes through the firewall, too"),
        Err(error) if is_absent(&error) => {
            Finding::ok(check, "br_netfilter is not loaded: bridges pass packets on by themselves")
        }
        Err(error) => unknown(check, &error, error.errno),
    }
}

fn forwarding(kernel: &Kernel, check: &str, setting: &'static str) -> Finding {
    match kernel.sysctl(&Namespace::Host, &Sysctl::Namespace(setting)) {
        Ok(0) => Finding::ok(check, "off: Pontoon switches it on with the first network that needs it"),
        Ok(_) => Finding::ok(check, "on"),
        Err(error) => unknown(check, &error, error.errno),
    }
}

fn ipv6(kernel: &Kernel) -> Finding {
    let check = "forwarding IPv6";
    match kernel.sysctl(&Namespace::Host, &Sysctl::Namespace("ipv6/conf/all/disable_ipv6")) {
        Ok(0) => forwarding(kernel, check, "ipv6/conf/all/forwarding"),
        Ok(_) => Finding::warning(
            check,
            "IPv6 is switched off: networks with IPv6 addresses can't work",
            "if you want such networks: sysctl -w net.ipv6.conf.all.disable_ipv6=0",
        ),
        Err(error) if is_absent(&error) => Finding::warning(
            check,
            "this kernel has no IPv6: networks with IPv6 addresses can't work",
            "if you want such networks, boot it without ipv6.disable=1",
        ),
        Err(error) => unknown(check, &error, error.errno),
    }
}

fn is_absent(error: &Error) -> bool {
    error.errno == Some(Errno::NOENT.raw_os_error())
}

/// Whether a daemon's rules stand where somebody else's firewall drops what is forwarded.
pub async fn exceptions(controller: &Controller) -> Vec<Finding> {
    let mut findings = Vec::new();
    for family in FAMILIES {
        let check = format!("firewall rules {}", version(family));
        match standing(controller, family).await {
            Ok(Some((chain, exceptions))) => findings.push(rules(check, chain, exceptions)),
            Ok(None) => {}
            Err(error) => findings.push(unknown(check, &error, error.errno)),
        }
    }
    findings
}

/// Networks that nothing comes into or leaves, because their packet rules can't be put back.
pub async fn closed(controller: &Controller) -> Vec<Finding> {
    let finding = |(name, why): (words::Name, String)| {
        let found = format!("closed, because its packet rules are gone and can't be put back: {why}");
        let advice = "find what holds the nftables tables whose names begin with pontoon- (nft list tables; one with an owner is                       another program's, and goes with it); the network opens by itself as soon as its rules can be made";
        Finding::problem(format!("network {name}"), found, advice)
    };
    match controller.closed_networks().await {
        Ok(closed) => closed.into_iter().map(finding).collect(),
        Err(error) => vec![unknown("closed networks", &error, error.errno)],
    }
}

/// Whether what networks' containers send fits through the link by which it leaves the host.
pub async fn mtu(controller: &Controller) -> Vec<Finding> {
    let check = "MTU";
    match controller.wide_networks().await {
        Err(error) => vec![unknown(check, &error, error.errno)],
        Ok(None) => Vec::new(),
        Ok(Some((way_out, networks))) if networks.is_empty() => {
            vec![Finding::ok(check, format!("the way out takes {way_out} bytes, and no network sends more"))]
        }
        Ok(Some((way_out, networks))) => {
            let found = format!(
                "the way out takes {way_out} bytes, and the links of these networks have more: {}",
                networks.join(", ")
            );
            let advice = "make them again: their links get the MTU of the way out, unless com.docker.network.driver.mtu says another; until then large packets \
                          are lost where routers don't say that they are too large";
            vec![Finding::warning(check, found, advice)]
        }
    }
}

/// The chain that drops, and how the rules stand there; none: nothing drops.
async fn standing(
    controller: &Controller,
    family: IptablesFamily,
) -> words::Result<Option<(&'static str, Exceptions)>> {
    let Some(chain) = controller.firewall(family).await?.chain else { return Ok(None) };
    let mut exceptions = controller.exceptions(family).await?;
    if exceptions.amiss > 0 {
        tokio::time::sleep(MENDING).await;
        exceptions = controller.exceptions(family).await?;
    }
    Ok(Some((chain.name(), exceptions)))
}

fn rules(check: String, chain: &str, exceptions: Exceptions) -> Finding {
    let Exceptions { links, amiss } = exceptions;
    match amiss {
        0 => Finding::ok(check, format!("{links} of {links} links that forward are excepted in {chain}")),
        _ => Finding::problem(
            check,
            format!("{amiss} rules for {links} links that forward are missing or out of place in {chain}"),
            "see why in the daemon's log, and restart it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::IptablesChain;
    use operation::finding::Status;

    #[test]
    fn a_firewall_is_told_with_what_to_do() {
        let found = |chain, legacy| iptables(IptablesFamily::Ipv6, Ok(Found { chain, legacy }));
        assert_eq!(found(Some(IptablesChain::DockerUser), false).status, Status::Ok);
        let legacy = found(None, true);
        assert_eq!(legacy.status, Status::Warning);
        assert!(legacy.advice.unwrap().contains("--set ip6tables /usr/sbin/ip6tables-nft"));
        let refused = Error { message: "no".into(), errno: Some(Errno::PERM.raw_os_error()) };
        let refused = iptables(IptablesFamily::Ipv4, Err(refused));
        assert_eq!((refused.status, refused.advice.as_deref()), (Status::Unknown, Some(super::super::AS_ROOT)));
    }

    #[test]
    fn rules_stand_or_not() {
        let stands = |links, amiss| rules(String::new(), "FORWARD", Exceptions { links, amiss }).status;
        assert_eq!([stands(0, 0), stands(3, 0), stands(3, 1)], [Status::Ok, Status::Ok, Status::Problem]);
    }
}

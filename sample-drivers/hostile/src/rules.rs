//! Packet rules and kernel settings of others.

use pontoon_sdk::nftables::Property::{
    Destination, DestinationLocal, DestinationPort, InputLink, Protocol as Of, Source,
};
use pontoon_sdk::nftables::{Chain, ChainType, Hook, Rule, Target, Verdict};
use pontoon_sdk::sysctls::{LinkSysctl, NamespaceSysctl, get_link, get_namespace, set_link, set_namespace};
use pontoon_sdk::{Protocol, Result, namespaces, nftables, rules};

use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("drop-everything", |_| add(Rule::new(Chain::FORWARD, Verdict::Drop))),
    ("drop-another-network", drop_another_network),
    ("drop-all-but-its-own", drop_all_but_its_own),
    ("hook-that-is-not-granted", hook_that_is_not_granted),
    ("priority-that-is-not-granted", priority_that_is_not_granted),
    ("redirect-the-hosts-ssh", redirect_the_hosts_ssh),
    ("redirect-another-network", redirect_another_network),
    ("redirect-to-nobody", redirect_to_nobody),
    ("policy-rule-for-another-network", policy_rule_for_another_network),
    ("policy-rule-of-a-family-for-another-network", policy_rule_of_a_family_for_another_network),
    ("policy-rule-of-a-family-for-everybody", policy_rule_of_a_family_for_everybody),
    ("policy-rule-for-the-local-table", policy_rule_for_the_local_table),
    ("speak-for-another-network", |stage| speak_for(stage, "10.77.0.2")),
    ("speak-for-the-outside", |stage| speak_for(stage, "192.0.2.9")),
    ("speak-for-another-gateway", |stage| speak_for(stage, "10.77.0.1")),
    ("speak-for-the-host-itself", |stage| speak_for(stage, "127.0.0.1")),
    ("switch-forwarding-off", switch_forwarding_off),
    ("setting-that-is-not-granted", setting_that_is_not_granted),
    ("read-a-setting-that-is-not-granted", |stage| {
        get_link(&stage.link("hb")?, LinkSysctl::Ipv4RouteLocalnet).map(drop)
    }),
    ("read-forwarding", |_| get_namespace(&namespaces::host(), NamespaceSysctl::Ipv4Forwarding).map(drop)),
];

fn add(rule: Rule) -> Result<()> {
    nftables::add(None, &[rule]).map(drop)
}

fn drop_another_network(_: &Stage) -> Result<()> {
    add(Rule::new(Chain::FORWARD, Verdict::Drop).when(Source("10.77.0.0/24".parse()?)))
}

fn drop_all_but_its_own(stage: &Stage) -> Result<()> {
    add(Rule::new(Chain::FORWARD, Verdict::Drop).unless(Source(stage.pool)))
}

fn hook_that_is_not_granted(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    let chain = Chain { chain_type: ChainType::Filter, hook: Hook::Input, priority: 0 };
    add(Rule::new(chain, Verdict::Drop).when(InputLink(&link)))
}

fn priority_that_is_not_granted(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    add(Rule::new(Chain { priority: i32::MIN, ..Chain::FORWARD }, Verdict::Accept).when(InputLink(&link)))
}

fn redirect_the_hosts_ssh(stage: &Stage) -> Result<()> {
    let target = Target { address: stage.address(9), port: None };
    let rule = Rule::new(Chain::NAT_PREROUTING, Verdict::DestinationNat(target));
    add(rule.when(DestinationLocal).when(Of(Protocol::TCP)).when(DestinationPort(22.into())))
}

fn redirect_another_network(stage: &Stage) -> Result<()> {
    let target = Target { address: stage.address(9), port: None };
    let rule = Rule::new(Chain::NAT_PREROUTING, Verdict::DestinationNat(target));
    add(rule.when(Destination("10.77.0.2/32".parse()?)).when(Of(Protocol::TCP)).when(DestinationPort(80.into())))
}

fn redirect_to_nobody(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    let target = Target { address: "192.0.2.1".parse()?, port: None };
    add(Rule::new(Chain::NAT_PREROUTING, Verdict::DestinationNat(target)).when(InputLink(&link)))
}

fn policy_rule_for_another_network(_: &Stage) -> Result<()> {
    let source = Some("10.77.0.0/24".parse()?);
    rules::add(None, &[rules::Rule { priority: 7, source, destination: None, input_link: None, mark: None, table: 9 }])
}

fn policy_rule_of_a_family_for_another_network(_: &Stage) -> Result<()> {
    let source = Some("10.77.0.0/24".parse()?);
    let rule = rules::Rule { priority: 7, source, destination: None, input_link: None, mark: None, table: 9 };
    rules::add_of_family(rules::Family::Ipv4, None, &[rule])
}

/// All IPv6 packets of the host: nothing but the family says which.
fn policy_rule_of_a_family_for_everybody(_: &Stage) -> Result<()> {
    let mark = Some((0, 0));
    let rule = rules::Rule { priority: 7, source: None, destination: None, input_link: None, mark, table: 9 };
    rules::add_of_family(rules::Family::Ipv6, None, &[rule])
}

/// The kernel's own table: its routes are what the host takes packets by.
fn policy_rule_for_the_local_table(stage: &Stage) -> Result<()> {
    let source = Some(stage.pool);
    rules::add(
        None,
        &[rules::Rule { priority: 7, source, destination: None, input_link: None, mark: None, table: 255 }],
    )
}

/// Packets of its own network with somebody else's address as their source.
fn speak_for(stage: &Stage, address: &str) -> Result<()> {
    let target = Target { address: address.parse()?, port: None };
    add(Rule::new(Chain::NAT_POSTROUTING, Verdict::SourceNat(target)).when(Source(stage.pool)))
}

fn switch_forwarding_off(_: &Stage) -> Result<()> {
    set_namespace(&namespaces::host(), NamespaceSysctl::Ipv4Forwarding, 0)
}

fn setting_that_is_not_granted(stage: &Stage) -> Result<()> {
    set_link(&stage.link("hb")?, LinkSysctl::Ipv4RouteLocalnet, 1)
}

//! What others made: links, namespaces, interfaces of the host.

use pontoon_sdk::links::{self, LinkChanges, LinkEnd, LinkKind, LinkSpec, MacvlanMode, Master, VxlanOptions};
use pontoon_sdk::nftables::{Chain, Property::InputLink, Rule, Verdict::Drop};
use pontoon_sdk::sysctls::{LinkSysctl, set_link};
use pontoon_sdk::{Error, IpamData, NetworkInfo, ObjectType, Result, namespaces, nftables, store, tables};

use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("take-eth0", take_eth0),
    ("take-loopback", take_loopback),
    ("take-a-foreign-bridge", take_a_foreign_bridge),
    ("see-foreign-links", see_foreign_links),
    ("make-a-foreign-name", make_a_foreign_name),
    ("race-a-rename", race_a_rename),
    ("rule-in-another-namespace", rule_in_another_namespace),
    ("build-on-eth0", build_on_eth0),
    ("tunnel-without-a-parent", tunnel_without_a_parent),
    ("guess-a-namespace", guess_a_namespace),
    ("remove-the-hosts-namespace", remove_the_hosts_namespace),
    ("read-foreign-state", read_foreign_state),
    ("claim-a-foreign-table", claim_a_foreign_table),
    ("list-a-foreign-table", |_| tables::list("peers").map(drop)),
];

/// Attacks that go by a network's handle.
pub(crate) const BY_HANDLE: &[(&str, AttackByHandle)] = &[
    ("watch-a-foreign-table", |info| info.table_event_register("peers", ObjectType::Opaque)),
    ("choose-everything", |info| choose(info, "0.0.0.0/0")),
    ("choose-another-network", |info| choose(info, "10.77.0.0/16")),
    ("choose-the-hosts-lan", |info| choose(info, "192.0.2.0/24")),
];

/// A pool for its own network, which has none.
fn choose(info: &NetworkInfo, pool: &str) -> Result<()> {
    info.update_ipam_config(&[IpamData { pool: Some(pool.parse()?), ..IpamData::default() }])
}

/// An attack that goes by a network's handle.
pub(crate) type AttackByHandle = fn(&NetworkInfo) -> Result<()>;

fn take_eth0(_: &Stage) -> Result<()> {
    links::get(None, "eth0")?.set(&LinkChanges { up: Some(false), ..LinkChanges::default() })
}

fn take_loopback(_: &Stage) -> Result<()> {
    links::get(None, "lo")?.remove()
}

fn take_a_foreign_bridge(stage: &Stage) -> Result<()> {
    let victim = links::get(None, "victim")?;
    stage.link("hb")?.set(&LinkChanges { master: Some(Master::Bridge(&victim)), ..LinkChanges::default() })
}

fn see_foreign_links(_: &Stage) -> Result<()> {
    match links::list(None)?.len() {
        0 => Err(Error::internal("saw no link of the host")),
        _ => Ok(()),
    }
}

fn make_a_foreign_name(stage: &Stage) -> Result<()> {
    stage.link("eth0").map(drop)
}

/// A handle whose link has another name by now, while the old name goes to a link of somebody else's.
fn race_a_rename(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    let stale = links::get(None, "hb")?;
    link.set(&LinkChanges { up: Some(false), ..LinkChanges::default() })?;
    link.set(&LinkChanges { name: Some("hbb".to_owned()), ..LinkChanges::default() })?;
    set_link(&stale, LinkSysctl::Ipv4ProxyArp, 1)?;
    Err(Error::internal(format!("set {}, which is what the handle means", stale.info()?.name)))
}

/// A link that has the name of one of the host's, in a namespace of its own; a rule goes by name.
fn rule_in_another_namespace(_: &Stage) -> Result<()> {
    let own = namespaces::add("own")?;
    let end = LinkEnd { namespace: Some(&own), ..LinkEnd::named("eth0") };
    let link = links::add_one(LinkSpec::bridge(end))?.link;
    nftables::add(None, &[Rule::new(Chain::FORWARD, Drop).when(InputLink(&link))]).map(drop)
}

fn build_on_eth0(_: &Stage) -> Result<()> {
    let parent = links::get(None, "eth0")?;
    let kind = LinkKind::Macvlan { parent: &parent, mode: MacvlanMode::Passthru };
    links::add_one(LinkSpec { end: LinkEnd::named("hm"), kind }).map(drop)
}

fn tunnel_without_a_parent(_: &Stage) -> Result<()> {
    let options =
        VxlanOptions { vni: 7, port: 4789, parent: None, local: None, remote: None, learning: true, proxy: false };
    links::add_one(LinkSpec { end: LinkEnd::named("hv"), kind: LinkKind::Vxlan(options) }).map(drop)
}

fn guess_a_namespace(_: &Stage) -> Result<()> {
    for name in ["1", "net", "default", "victim", "../victim", "/proc/1/ns/net", "../../proc/1/ns/net"] {
        if namespaces::get(name).is_ok() {
            return Ok(());
        }
    }
    namespaces::get("/proc/1/ns/net").map(drop)
}

fn remove_the_hosts_namespace(_: &Stage) -> Result<()> {
    namespaces::host().remove()
}

fn read_foreign_state(_: &Stage) -> Result<()> {
    let all = store::list_bytes("")?;
    match all.iter().all(|(key, _)| key.starts_with("network/") || key.starts_with("attack/")) {
        true => Err(Error::internal("saw its own keys and no others")),
        false => Ok(()),
    }
}

fn claim_a_foreign_table(_: &Stage) -> Result<()> {
    tables::put("peers", "10.0.0.1", b"here")
}

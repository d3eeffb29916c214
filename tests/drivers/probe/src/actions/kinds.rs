//! The kinds of links that a kernel may lack.

use pontoon_sdk::links::{
    self, IpvlanFlag, IpvlanMode, Link, LinkEnd, LinkKind, LinkSpec, MacvlanMode, Peer, PublicKey, VxlanOptions,
};
use pontoon_sdk::{Error, ErrorKind, Result, log};

use super::Stage;
use super::kernel::last_address;
use crate::check::{ensure, same};

/// Makes one of each kind on a link of its own, or hears that the kernel can't.
pub(super) fn kinds(stage: &Stage) -> Result<()> {
    let ends = ["pbp", "pbq"].map(|prefix| LinkEnd { up: true, ..LinkEnd::named(stage.link_name(prefix)) });
    let [one, other] = ends;
    let added = links::add_one(LinkSpec::veth(one, other))?;
    let (parent, Some(second)) = (added.link, added.peer) else {
        return Err(Error::internal("a pair without another end"));
    };
    let vxlan = VxlanOptions {
        vni: 4242,
        port: 4789,
        parent: Some(&parent),
        local: None,
        remote: None,
        learning: false,
        proxy: true,
    };
    let kinds = [
        ("vxlan", LinkKind::Vxlan(vxlan)),
        ("vlan", LinkKind::Vlan { parent: &parent, id: 42 }),
        ("macvlan", LinkKind::Macvlan { parent: &parent, mode: MacvlanMode::Private }),
        ("dummy", LinkKind::Dummy),
    ];
    for (kind, spec) in kinds {
        try_kind(stage, kind, spec)?;
    }
    let end = LinkEnd::named(stage.link_name("pbtap"));
    tried("macvtap", links::add_macvtap(&end, &parent, MacvlanMode::Bridge))?;
    // A parent is macvlan's or ipvlan's, never both, and what is removed goes when the call has ended.
    let ipvlan = LinkKind::Ipvlan { parent: &second, mode: IpvlanMode::L3, flag: IpvlanFlag::Private };
    try_kind(stage, "ipvlan", ipvlan)?;
    wireguard(stage, &parent)?;
    parent.remove()
}

/// A WireGuard link, where the kernel has the kind and the grant the way out.
fn wireguard(stage: &Stage, other: &Link) -> Result<()> {
    let end = LinkEnd { up: true, ..LinkEnd::named(stage.link_name("pbw")) };
    let allowed = stage.network.pools().map(|pool| last_address(pool).into()).collect();
    let peer = Peer { key: PublicKey([7; 32]), endpoint: None, allowed, keepalive: Some(25) };
    match links::add_wireguard(&end, 4243) {
        Err(error) if [ErrorKind::NotImplemented, ErrorKind::Forbidden].contains(&error.kind) => {
            log::info(format!("there is no WireGuard link: {error}"));
        }
        added => {
            let link = added?;
            ensure(link.public_key()? != peer.key, "a key of its own")?;
            link.set_peers(std::slice::from_ref(&peer))?;
            same(link.peers()?, vec![peer.clone()], "peers")?;
            link.remove_peers(&[peer.key])?;
            same(link.peers()?, Vec::new(), "peers that were removed")?;
            link.remove()?;
        }
    }
    // Another kind of link has none.
    let refused = [
        other.public_key().map(drop),
        other.set_peers(std::slice::from_ref(&peer)),
        other.remove_peers(&[peer.key]),
        other.peers().map(drop),
    ];
    let is_refused = |said: Result<()>| said.is_err_and(|error| error.kind == ErrorKind::InvalidArgument);
    ensure(refused.into_iter().all(is_refused), "peers of another kind of link")
}

fn try_kind(stage: &Stage, name: &str, kind: LinkKind) -> Result<()> {
    let end = LinkEnd::named(stage.link_name(&format!("pb{}", &name[..3])));
    tried(name, links::add_one(LinkSpec { end, kind }).map(|added| added.link))
}

fn tried(name: &str, made: Result<Link>) -> Result<()> {
    match made {
        Err(error) if error.kind == ErrorKind::NotImplemented => {
            log::info(format!("this kernel has no {name}: {error}"))
        }
        added => {
            let link = added?;
            same(link.info()?.kind.as_str(), name, "the kind of a link")?;
            link.remove()?;
        }
    }
    Ok(())
}

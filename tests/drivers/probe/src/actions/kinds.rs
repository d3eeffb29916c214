//! The kinds of links that a kernel may lack.

use pontoon_sdk::links::{self, IpvlanFlag, IpvlanMode, LinkEnd, LinkKind, LinkSpec, MacvlanMode, VxlanOptions};
use pontoon_sdk::{Error, ErrorKind, Result, log};

use super::Stage;
use crate::check::same;

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
    // A parent is macvlan's or ipvlan's, never both, and what is removed goes when the call has ended.
    let ipvlan = LinkKind::Ipvlan { parent: &second, mode: IpvlanMode::L3, flag: IpvlanFlag::Private };
    try_kind(stage, "ipvlan", ipvlan)?;
    parent.remove()
}

fn try_kind(stage: &Stage, name: &str, kind: LinkKind) -> Result<()> {
    let end = LinkEnd::named(stage.link_name(&format!("pb{}", &name[..3])));
    match links::add_one(LinkSpec { end, kind }) {
        Err(error) if error.kind == ErrorKind::NotImplemented => {
            log::info(format!("this kernel has no {name}: {error}"))
        }
        added => {
            let link = added?.link;
            same(link.info()?.kind.as_str(), name, "the kind of a link")?;
            link.remove()?;
        }
    }
    Ok(())
}

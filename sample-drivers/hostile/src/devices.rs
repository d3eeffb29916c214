//! Devices of the host's: those of others, for nobody, twice, and kept.

use pontoon_sdk::links::{self, LinkEnd, LinkKind, LinkSpec, MacvlanMode};
use pontoon_sdk::{Error, JoinInfo, Result};

use crate::traps::trap;
use crate::{Attack, join};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("take-a-device-for-nobody", |_| links::get(None, "eth0")?.take_device()),
    ("take-its-own-link", |stage| stage.link("hb")?.take_device()),
];

pub(crate) const JOINS: &[(&str, join::Attack)] = &[
    ("take-eth0-into-the-container", take_eth0),
    ("take-the-victim-into-the-container", |_| links::get(None, "victim")?.take_device()),
    ("take-eth0-twice", |info| {
        take_eth0(info)?;
        links::get(None, "eth0")?.take_device()
    }),
    ("build-on-what-was-taken", |info| {
        take_eth0(info)?;
        let parent = links::get(None, "eth0")?;
        let kind = LinkKind::Macvlan { parent: &parent, mode: MacvlanMode::Bridge };
        links::add_one(LinkSpec { end: LinkEnd::named("hm"), kind }).map(drop)
    }),
    ("trap-after-a-device", |info| trap(take_eth0(info))),
    ("fail-after-a-device", |info| take_eth0(info).and(Err(Error::internal("enough")))),
];

/// Where the grant allows it, its container has the device.
fn take_eth0(info: &JoinInfo) -> Result<()> {
    let device = links::get(None, "eth0")?;
    device.take_device()?;
    info.interface_name().set_names(&device, "eth", None)
}

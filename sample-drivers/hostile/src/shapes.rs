//! How fast links send and receive: those of others, and in ways that can't be.

use pontoon_sdk::links::{self, LinkChanges, LinkEnd, LinkSpec, Master};
use pontoon_sdk::namespaces::{self, Namespace};
use pontoon_sdk::shaping::{Rate, add_ifb, redirect, set_rate};
use pontoon_sdk::{Error, Result};

use crate::Attack;

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("slow-eth0", |_| set_rate(&links::get(None, "eth0")?, RATE)),
    ("slow-the-victim", |_| set_rate(&links::get(None, "victim")?, RATE)),
    ("slow-what-was-removed", |stage| {
        let link = stage.link("hb")?;
        link.remove()?;
        set_rate(&link, RATE)
    }),
    ("rate-of-nothing", |stage| limit(stage.link("hb")?, 0, 32_000)),
    ("rate-without-end", |stage| limit(stage.link("hb")?, u64::MAX, u32::MAX)),
    ("burst-of-nothing", |stage| limit(stage.link("hb")?, 125_000, 0)),
    ("burst-that-loses-all", |stage| limit(stage.link("hb")?, 125_000, 100)),
    ("rates-again-and-again", |stage| {
        let link = stage.link("hb")?;
        loop {
            set_rate(&link, RATE)?;
            set_rate(&link, None)?;
        }
    }),
    ("many-ifbs", |_| (0..200).try_for_each(|number| add_ifb(None, &format!("hi{number}")).map(drop))),
    ("ifb-by-an-engines-name", |_| add_ifb(None, "docker0").map(drop)),
    ("ifb-by-the-victims-name", |_| add_ifb(None, "victim").map(drop)),
    ("receive-what-eth0-does", |_| redirect(&links::get(None, "eth0")?, Some(&add_ifb(None, "hi")?))),
    ("send-through-eth0", |stage| redirect(&stage.link("hb")?, Some(&links::get(None, "eth0")?))),
    ("receive-in-a-circle", |_| {
        let one = add_ifb(None, "hi")?;
        redirect(&one, Some(&add_ifb(None, "hj")?))
    }),
    ("receive-through-a-bridge", |stage| {
        let bridge = stage.link("hb")?;
        let port = LinkEnd { master: Some(&bridge), ..LinkEnd::named("hx") };
        let port = links::add_one(LinkSpec::veth(port, LinkEnd::named("hy")))?.link;
        redirect(&port, Some(&bridge))
    }),
    ("receive-in-another-namespace", |stage| {
        let inside: Namespace = namespaces::add("own")?;
        redirect(&stage.link("hb")?, Some(&add_ifb(Some(&inside), "hi")?))
    }),
    ("slow-the-others-of-a-bridge", |stage| {
        // It takes an ifb for a port: that is its own, too, and gone with the network.
        let (bridge, ifb) = (stage.link("hb")?, add_ifb(None, "hi")?);
        ifb.set(&LinkChanges { master: Some(Master::Bridge(&bridge)), ..LinkChanges::default() })?;
        redirect(&bridge, Some(&ifb))?;
        Err(Error::internal("its own are slow"))
    }),
];

const RATE: Option<Rate> = Some(Rate { bytes_per_second: 1_000, burst: 2_000 });

fn limit(link: links::Link, bytes_per_second: u64, burst: u32) -> Result<()> {
    set_rate(&link, Some(Rate { bytes_per_second, burst }))
}

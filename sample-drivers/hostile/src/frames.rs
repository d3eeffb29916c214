//! Rules for what passes bridges: of others' ports, for everybody, with what a bridge has not, and too many.

use pontoon_sdk::frames::{self, FrameRule, Property};
use pontoon_sdk::links::{self, Link};
use pontoon_sdk::nftables::Property::{Connection, DestinationLocal, InputLink, OutputLink, Source};
use pontoon_sdk::nftables::{ConnectionStates, Hook, Target, Verdict};
use pontoon_sdk::packets::{self, Action, Field, MarkBits, Property as OfPacket, Rejection, SetKind, Statement};
use pontoon_sdk::{Error, MacAddress, Result};

use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("drop-all-frames", |_| add(FrameRule::new(Hook::Forward, 0, Verdict::Drop))),
    ("drop-frames-of-addresses", |stage| add(drop().when(Source(stage.pool)))),
    ("drop-frames-of-a-mac", |_| add(drop().when(Property::EtherSource(MacAddress([2, 0, 0, 0, 0, 1]))))),
    ("drop-all-frames-but-its-own", |stage| {
        let link = stage.link("hb")?;
        add(drop().unless(InputLink(&link)))
    }),
    ("drop-frames-of-eth0", |_| {
        let link = links::get(None, "eth0")?;
        add(drop().when(InputLink(&link)))
    }),
    ("drop-frames-of-the-victims-port", |_| {
        let link = links::get(None, "victim")?;
        add(drop().when(OutputLink(&link)))
    }),
    ("drop-frames-of-what-was-removed", |stage| {
        let (link, same) = (stage.link("hb")?, links::get(None, "hb")?);
        link.remove()?;
        add(drop().when(InputLink(&same)))
    }),
    ("frames-at-a-hook-that-is-not-granted", |stage| {
        let link = stage.link("hb")?;
        add(FrameRule::new(Hook::Prerouting, -300, Verdict::Drop).when(InputLink(&link)))
    }),
    ("translate-frames", |stage| {
        let to = Target { address: stage.address(2), port: None };
        of_link(stage, |link| FrameRule::new(Hook::Prerouting, -100, Verdict::DestinationNat(to)).when(InputLink(link)))
    }),
    ("reject-frames", |stage| {
        let reject = Action::Reject(Rejection::Prohibited);
        of_link(stage, |link| FrameRule::new(Hook::Forward, 0, reject).when(InputLink(link)))
    }),
    ("jump-from-frames", |stage| {
        of_link(stage, |link| FrameRule::new(Hook::Forward, 0, Action::Jump("theirs")).when(InputLink(link)))
    }),
    ("frames-by-their-connection", |stage| {
        let states = ConnectionStates { new: true, ..ConnectionStates::default() };
        of_link(stage, |link| drop().when(InputLink(link)).when(Connection(states)))
    }),
    ("frames-for-the-host", |stage| of_link(stage, |link| drop().when(InputLink(link)).when(DestinationLocal))),
    ("frames-of-a-set", |stage| {
        packets::add_set(None, "s", SetKind::Ipv4)?;
        let member = OfPacket::Member { field: Field::Source, set: "s" };
        of_link(stage, |link| drop().when(InputLink(link)).when(member))
    }),
    ("mark-frames", |stage| {
        let mark = Statement::SetMark(MarkBits { value: 0x500, mask: 0xff00 });
        of_link(stage, |link| FrameRule::new(Hook::Forward, 0, Action::Proceed).when(InputLink(link)).and(mark))
    }),
    ("untrack-frames", |stage| of_link(stage, |link| drop().when(InputLink(link)).and(Statement::Untrack))),
    ("log-frames", |stage| {
        let log = Action::Log { prefix: "h", rate: 1 };
        of_link(stage, |link| FrameRule::new(Hook::Forward, 0, log).when(InputLink(link)))
    }),
    ("many-frame-rules", |stage| {
        let link = stage.link("hb")?;
        (0..99).try_for_each(|_| add(drop().when(InputLink(&link))))
    }),
    ("fail-after-a-frame-rule", |stage| {
        of_link(stage, |link| drop().when(InputLink(link)))?;
        Err(Error::internal("gave up with a rule at a bridge"))
    }),
];

fn drop<'a>() -> FrameRule<'a> {
    FrameRule::new(Hook::Forward, 0, Verdict::Drop)
}

fn add(rule: FrameRule) -> Result<()> {
    frames::add(None, &[rule]).map(std::mem::drop)
}

fn of_link(stage: &Stage, rule: impl for<'a> FnOnce(&'a Link) -> FrameRule<'a>) -> Result<()> {
    let link = stage.link("hb")?;
    add(rule(&link))
}

//! Random operations: lists of steps, and what comes of them later. They speak of namespaces by number and of links by index, so that both kernels can be given the same.

use crate::tests::lockstep::side::Side;
use crate::tests::lockstep::step::{At, Step, link};
use crate::tests::lockstep::*;

/// What is done next.
#[derive(Debug)]
pub enum Operation {
    Apply(Vec<Step>),
    Attempt(Vec<Step>),
    /// What was applied under this number is taken back.
    Undo(usize),
    Condemn(Vec<At>),
    Reap(usize),
    /// An operator has a device.
    PlugIn,
    /// A new sandbox.
    Begin,
    /// The end of one.
    Kill(usize),
}

impl Operation {
    /// Something to meet: a bridge with addresses, and on it a pair with its other end in the sandbox.
    pub fn stage() -> Self {
        let address = |text: &str| text.parse().unwrap();
        let addresses = vec![address("10.0.0.1/24"), address("fd00::1/64")];
        let bridge = LinkSpec { end: LinkEnd { addresses, ..end(&Namespace::Host, "b") }, kind: LinkKind::Bridge };
        let mac = |last| Some(MacAddress([2, 0, 0, 0, 0, last]));
        let first = LinkEnd { master: Some(2), mac: mac(3), ..end(&Namespace::Host, "a") };
        let addresses = vec![address("10.0.0.2/24"), address("fd00::2/64")];
        let inner = LinkEnd { addresses, mac: mac(4), ..end(&Namespace::Host, "c") };
        Self::Apply(vec![Step::AddLink(0, 0, bridge), Step::AddLink(0, 1, veth(first, inner))])
    }

    pub fn random(random: &mut Random, side: &Side) -> Self {
        let space = random.below(side.spaces.len());
        match random.below(40) {
            0..=2 if side.applied() > 0 => Self::Undo(random.below(side.applied())),
            3..=4 => Self::Condemn((0..=random.below(2)).map(|_| link(random, side)).collect()),
            5 => Self::Reap(space),
            6 if side.spaces.len() < 4 => Self::Begin,
            7 if space > 0 && random.one_in(2) => Self::Kill(space),
            8..=9 => Self::Attempt((0..3).map(|_| Step::removal(random, side)).collect()),
            10..=25 => Self::Apply(vec![Step::random(random, side)]),
            _ => Self::Apply((0..=random.below(4)).map(|_| Step::random(random, side)).collect()),
        }
    }
}

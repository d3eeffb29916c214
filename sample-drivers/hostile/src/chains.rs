//! Chains of its own: ways into those of others, in circles, without end, and round what ties a rule to its network.

use pontoon_sdk::chains::{self, ChainRule};
use pontoon_sdk::nftables::{self, Chain, ChainType, Hook, Verdict};
use pontoon_sdk::packets::{self, Action, PacketRule, Statement};
use pontoon_sdk::{Error, Protocol, Result};

use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("jump-into-a-chain-of-another-network", |stage| lead(stage, Action::Jump("theirs"))),
    ("rules-for-a-chain-of-another-network", |_| rules("theirs", ChainRule::new(Verdict::Drop))),
    ("jump-into-a-base-chain", |stage| {
        add("c")?;
        lead(stage, Action::Jump("filter-forward-0"))
    }),
    ("goto-a-base-chain-of-the-hosts", |stage| lead(stage, Action::Goto("filter-input-0"))),
    ("jump-into-itself", |_| {
        add("c")?;
        rules("c", ChainRule::new(Action::Jump("c")))
    }),
    ("jump-in-a-circle", |_| {
        ["a", "b"].into_iter().try_for_each(add)?;
        rules("b", ChainRule::new(Action::Jump("a")))?;
        rules("a", ChainRule::new(Action::Goto("b")))
    }),
    ("jump-from-another-hook", |stage| {
        add("c")?;
        let chain = Chain::filter(Hook::Prerouting, -100);
        let jump = PacketRule::new(chain, Action::Jump("c")).when(nftables::Property::Source(stage.pool));
        packets::add(None, &[jump]).map(drop)
    }),
    ("jump-for-everybody", |_| {
        add("c")?;
        packets::add(None, &[PacketRule::new(Chain::FORWARD, Action::Jump("c"))]).map(drop)
    }),
    ("jump-for-all-but-its-own", |stage| {
        add("c")?;
        let link = stage.link("hb")?;
        let jump = PacketRule::new(Chain::FORWARD, Action::Goto("c")).unless(nftables::Property::InputLink(&link));
        packets::add(None, &[jump]).map(drop)
    }),
    ("return-from-a-base-chain", |stage| lead(stage, Action::Return)),
    ("translate-behind-a-filter", |_| {
        add("c")?;
        rules("c", ChainRule::new(Verdict::Masquerade))
    }),
    ("redirect-the-hosts-ssh-from-a-chain", |stage| {
        let base = Chain { chain_type: ChainType::Nat, hook: Hook::Prerouting, priority: -100 };
        chains::add(None, "c", base)?;
        let to = nftables::Target { address: stage.address(2), port: None };
        let rule = ChainRule::new(Verdict::DestinationNat(to)).when(nftables::Property::DestinationLocal);
        let rule = rule.when(nftables::Property::Protocol(Protocol::TCP));
        rules("c", rule.when(nftables::Property::DestinationPort(22.into())))
    }),
    ("chain-at-a-hook-that-is-not-granted", |_| chains::add(None, "c", Chain::filter(Hook::Input, 0))),
    ("chain-by-the-name-of-another-table", |_| chains::add(None, "inet/filter/FORWARD", Chain::FORWARD)),
    ("chain-by-an-endless-name", |_| add(&"c".repeat(100_000))),
    ("a-thousand-chains", |_| (0..1_000).try_for_each(|number| add(&format!("c{number}")))),
    ("chains-again-and-again", |_| {
        (0..99).try_for_each(|number| {
            let name = format!("c{number}");
            add(&name)?;
            chains::remove(&name)
        })
    }),
    ("chain-kept-by-a-rule", |_| {
        add("c")?;
        rules("c", ChainRule::new(Action::Proceed).and(Statement::Counter))?;
        chains::remove("c")
    }),
    ("chain-kept-by-a-jump", |stage| {
        add("c")?;
        lead(stage, Action::Jump("c"))?;
        chains::remove("c")
    }),
    ("chain-back-in-the-same-call", |_| {
        add("c")?;
        chains::remove("c")?;
        add("c")
    }),
    ("jump-into-a-chain-that-was-removed", |stage| {
        add("c")?;
        chains::remove("c")?;
        lead(stage, Action::Jump("c"))
    }),
    ("log-from-a-chain", |_| {
        add("c")?;
        rules("c", ChainRule::new(Action::Log { prefix: "h", rate: 1 }))
    }),
    ("fail-after-a-chain", |stage| {
        add("c")?;
        rules("c", ChainRule::new(Verdict::Drop))?;
        lead(stage, Action::Jump("c"))?;
        Err(Error::internal("gave up with a chain in the kernel"))
    }),
];

fn add(name: &str) -> Result<()> {
    chains::add(None, name, Chain::FORWARD)
}

fn rules(chain: &str, rule: ChainRule) -> Result<()> {
    chains::add_rules(chain, &[rule]).map(drop)
}

/// For what comes in by a link of the driver's own.
fn lead(stage: &Stage, action: Action) -> Result<()> {
    let link = stage.link("hb")?;
    packets::add(None, &[PacketRule::new(Chain::FORWARD, action).when(nftables::Property::InputLink(&link))]).map(drop)
}

//! Heaps of things that the host has to search, or to take back. Under the corpus' small grant each is refused for its number; under a large
//! one (`tests/scenarios/bounded.rs`) each goes to its end, which must be the call's deadline at the latest.

use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
use pontoon_sdk::neighbours::{self, Neighbour};
use pontoon_sdk::nftables::{Chain, Property::InputLink, Rule, Verdict::Accept};
use pontoon_sdk::{Error, MacAddress, Result, namespaces, nftables, rules};

use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("links-again-and-again", |_| again_and_again(bridge)),
    ("pairs-again-and-again", |_| again_and_again(pair)),
    ("remove-what-is-not-there", remove_what_is_not_there),
    ("remove-neighbours-without-end", remove_neighbours_without_end),
    ("a-heap-of-rules-one-by-one", a_heap_of_rules_one_by_one),
    ("a-heap-of-links", a_heap_of_links),
    ("a-namespace-full-of-links", a_namespace_full_of_links),
];

/// Items of one host call.
const ITEMS: u32 = 1_000;

fn bridge(number: u32) -> LinkSpec<'static> {
    LinkSpec::bridge(LinkEnd::named(format!("hl{number}")))
}

fn pair(number: u32) -> LinkSpec<'static> {
    LinkSpec::veth(LinkEnd::named(format!("hv{number}")), LinkEnd::named(format!("hw{number}")))
}

/// What a call removes is still there until it has ended.
fn again_and_again(spec: fn(u32) -> LinkSpec<'static>) -> Result<()> {
    for round in 0.. {
        for added in links::add(&(0..8).map(|number| spec(8 * round + number)).collect::<Vec<_>>())? {
            added.link.remove()?;
        }
    }
    Ok(())
}

fn remove_what_is_not_there(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    for _ in 0..9 {
        let rule = || Rule::new(Chain::FORWARD, Accept).when(InputLink(&link));
        nftables::add(None, &(0..ITEMS).map(|_| rule()).collect::<Vec<_>>())?;
    }
    let source = Some(stage.pool);
    let absent = |priority| rules::Rule { priority, source, destination: None, input_link: None, mark: None, table: 9 };
    rules::remove(None, &(1..=ITEMS).map(absent).collect::<Vec<_>>())?;
    Err(Error::internal("it went to its end"))
}

fn remove_neighbours_without_end(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    for round in 0..u32::MAX / ITEMS {
        let mac_address = MacAddress::random();
        let absent = |number| Neighbour { link: &link, address: stage.address(round * ITEMS + number), mac_address };
        neighbours::remove(&(0..ITEMS).map(absent).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Each is a transaction of its own in the kernel.
fn a_heap_of_rules_one_by_one(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    (0..800)
        .try_for_each(|_| nftables::add(None, &[Rule::new(Chain::FORWARD, Accept).when(InputLink(&link))]).map(drop))?;
    Err(Error::internal("it went to its end"))
}

/// The kernel takes 30 ms to delete one.
fn a_heap_of_links(_: &Stage) -> Result<()> {
    for round in 0..4 {
        links::add(&(0..250).map(|number| bridge(1_000 * round + number)).collect::<Vec<_>>())?;
    }
    Err(Error::internal("it went to its end"))
}

fn a_namespace_full_of_links(_: &Stage) -> Result<()> {
    let inside = namespaces::add("full")?;
    for round in 0..4 {
        let named =
            |number| LinkEnd { namespace: Some(&inside), ..LinkEnd::named(format!("hl{}", 1_000 * round + number)) };
        links::add(&(0..250).map(|number| LinkSpec::bridge(named(number))).collect::<Vec<_>>())?;
    }
    inside.remove()?;
    Err(Error::internal("it went to its end"))
}

//! Where in the host's iptables the rules belong, and what has to change there. Nothing here speaks to the kernel.

use std::collections::{BTreeMap, BTreeSet};

use kernel::{IptablesChain, IptablesChange, IptablesFilter, IptablesPlace, IptablesRule, IptablesRules, IptablesWay};
use words::LinkName;

/// The tag of any Pontoon.
const ANY: &str = "pontoon-";

/// The chain for the rules; none: nothing drops.
///
/// DOCKER-USER counts only while something jumps to it. When FORWARD was flushed, its policy still drops, and nothing comes by there.
pub(super) fn place(filter: &IptablesFilter) -> Option<IptablesChain> {
    if filter.docker_user.as_ref().is_some_and(|chain| chain.used) {
        return Some(IptablesChain::DockerUser);
    }
    let drops = |chain: &IptablesRules| chain.drops || chain.rules.iter().any(|rule| rule.refuses);
    filter.forward.as_ref().is_some_and(drops).then_some(IptablesChain::Forward)
}

/// A link that forwards: rules hold for the one that has both. What iptables shows is the name, and the next link of it has another index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    pub name: LinkName,
    pub index: u32,
}

/// What is to be accepted of a link's packets.
pub(super) type Wish = (Link, IptablesWay);

/// The comment of a rule: by it, it is known again.
pub(super) fn comment(tag: &str, (link, way): &Wish) -> String {
    let way = match way {
        IptablesWay::From => "from",
        IptablesWay::To => "to",
        IptablesWay::Within => "within",
    };
    format!("{tag}{way}-{}-{}", link.name, link.index)
}

/// What brings both chains to the rules for these wishes.
pub(super) fn changes(filter: &IptablesFilter, tag: &str, wishes: &BTreeSet<Wish>) -> Vec<IptablesChange> {
    let place = place(filter);
    let chains = [(IptablesChain::DockerUser, &filter.docker_user), (IptablesChain::Forward, &filter.forward)];
    let mut changes = Vec::new();
    for (chain, found) in chains {
        let Some(found) = found else { continue };
        let mut wanted = BTreeMap::new();
        if place == Some(chain) {
            wanted.extend(wishes.iter().map(|wish| (comment(tag, wish), wish)));
        }
        changes.extend(of_chain(chain, &found.rules, tag, wanted));
    }
    changes
}

fn of_chain(
    chain: IptablesChain,
    rules: &[IptablesRule],
    tag: &str,
    mut wanted: BTreeMap<String, &Wish>,
) -> Vec<IptablesChange> {
    let end = end(chain, rules);
    let again = are_out_of_place(rules, end, tag);
    let mut changes = Vec::new();
    for rule in rules.iter().filter(|rule| rule.comment.starts_with(tag)) {
        if again || !rule.by_index || wanted.remove(&rule.comment).is_none() {
            changes.push(IptablesChange::Remove(chain, rule.handle));
        }
    }
    let place = rules.get(end).map_or(IptablesPlace::Last, |rule| IptablesPlace::Before(rule.handle));
    changes.extend(wanted.into_iter().map(|(comment, (link, way))| {
        let Link { name, index } = link.clone();
        IptablesChange::Accept { chain, place, link: name, index, way: *way, comment }
    }));
    changes
}

/// Where the administrator's rules end, and ours come: before a last RETURN in DOCKER-USER, before what refuses everything in FORWARD.
fn end(chain: IptablesChain, rules: &[IptablesRule]) -> usize {
    let ends = match chain {
        IptablesChain::Forward => rules.iter().position(|rule| rule.refuses),
        IptablesChain::DockerUser => rules.iter().rposition(|rule| rule.returns).filter(|at| at + 1 == rules.len()),
    };
    ends.unwrap_or(rules.len())
}

/// Whether one of the administrator's rules stands behind ours, where it would never be asked, or ours behind the end. Another Pontoon's rules
/// may stand behind ours.
fn are_out_of_place(rules: &[IptablesRule], end: usize, tag: &str) -> bool {
    let (before, after) = rules.split_at(end);
    let behind = before.iter().skip_while(|rule| !rule.comment.starts_with(tag));
    behind.into_iter().any(|rule| !rule.comment.starts_with(ANY))
        || after.iter().any(|rule| rule.comment.starts_with(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::IptablesRules;

    const TAG: &str = "pontoon-00abcd-";

    fn rule(handle: u64, comment: &str) -> IptablesRule {
        IptablesRule {
            handle,
            comment: comment.into(),
            returns: comment == "RETURN",
            by_index: true,
            refuses: comment == "REJECT",
        }
    }

    fn docker(comments: &[&str]) -> IptablesFilter {
        let rules = (1..).zip(comments).map(|(handle, comment)| rule(handle, comment)).collect();
        let docker_user = Some(IptablesRules { drops: false, used: true, rules });
        let forward = Some(IptablesRules { drops: true, used: false, rules: vec![rule(100, "")] });
        IptablesFilter { generation: 1, forward, docker_user, protected: BTreeSet::new() }
    }

    fn link(name: &str) -> Link {
        Link { name: LinkName::new(name).unwrap(), index: 7 }
    }

    /// The changes in words: `-7` removes a rule, `b>` accepts what goes to b, and behind it where.
    fn words(filter: &IptablesFilter, names: &[&str]) -> Vec<String> {
        let word = |change| match change {
            IptablesChange::Remove(chain, handle) => format!("{} -{handle}", chain.name()),
            IptablesChange::Accept { chain, place, link, index, way, comment } => {
                assert_eq!((comment, index), (super::comment(TAG, &(self::link(link.as_str()), way)), 7));
                format!("{} {} {link} {place:?}", chain.name(), format!("{way:?}").to_lowercase())
            }
        };
        let both = |name: &&str| [IptablesWay::From, IptablesWay::To].map(|way| (link(name), way));
        changes(filter, TAG, &names.iter().flat_map(both).collect()).into_iter().map(word).collect()
    }

    #[test]
    fn rules_come_before_the_last_return() {
        let place = "Before(2)";
        let added = [format!("DOCKER-USER from b {place}"), format!("DOCKER-USER to b {place}")];
        assert_eq!(words(&docker(&["", "RETURN"]), &["b"]), added);
        assert_eq!(words(&docker(&["", ""]), &["b"]), ["DOCKER-USER from b Last", "DOCKER-USER to b Last"]);
    }

    #[test]
    fn what_is_there_stays_and_what_is_not_asked_for_goes() {
        let there =
            docker(&["", "pontoon-00abcd-from-b-7", "pontoon-00abcd-to-b-7", "pontoon-00abcd-to-b-7", "RETURN"]);
        assert_eq!(words(&there, &["b"]), ["DOCKER-USER -4"], "a second one of the same");
        assert_eq!(words(&there, &[]), ["DOCKER-USER -2", "DOCKER-USER -3", "DOCKER-USER -4"]);
        let half = docker(&["pontoon-00abcd-to-b-7", "pontoon-00ef01-to-c-7", "RETURN"]);
        assert_eq!(words(&half, &["b"]), ["DOCKER-USER from b Before(3)"], "another Pontoon's rule may stand behind");
        assert_eq!(words(&half, &[]), ["DOCKER-USER -1"]);
    }

    #[test]
    fn the_next_link_of_a_name_gets_rules_of_its_own() {
        let mut there = docker(&["pontoon-00abcd-from-b-6", "pontoon-00abcd-to-b", "RETURN"]);
        let new = ["-1", "-2", "from b Before(3)", "to b Before(3)"].map(|word| format!("DOCKER-USER {word}"));
        assert_eq!(words(&there, &["b"]), new);
        there = docker(&["pontoon-00abcd-from-b-7", "pontoon-00abcd-to-b-7", "RETURN"]);
        assert_eq!(words(&there, &["b"]), [""; 0]);
        there.docker_user.iter_mut().flat_map(|chain| &mut chain.rules).for_each(|rule| rule.by_index = false);
        assert_eq!(words(&there, &["b"]), new, "saved and restored, they go by the name alone");
    }

    #[test]
    fn the_administrators_rules_come_first() {
        let late = docker(&["pontoon-00abcd-from-b-7", "pontoon-00abcd-to-b-7", "", "RETURN"]);
        let moved = ["-1", "-2", "from b Before(4)", "to b Before(4)"].map(|word| format!("DOCKER-USER {word}"));
        assert_eq!(words(&late, &["b"]), moved);
    }

    /// A FORWARD without DOCKER-USER before it.
    fn forward(drops: bool, comments: &[&str]) -> IptablesFilter {
        let rules = (1..).zip(comments).map(|(handle, comment)| rule(handle, comment)).collect();
        let forward = Some(IptablesRules { drops, used: false, rules });
        IptablesFilter { generation: 1, forward, docker_user: None, protected: BTreeSet::new() }
    }

    #[test]
    fn without_docker_user_they_go_behind_the_rules_of_a_forward_that_drops() {
        let mut filter = docker(&["pontoon-00abcd-from-b-7", "pontoon-00abcd-to-b-7"]);
        filter.docker_user.as_mut().unwrap().used = false;
        let moved = ["DOCKER-USER -1", "DOCKER-USER -2", "FORWARD from b Last", "FORWARD to b Last"];
        assert_eq!(words(&filter, &["b"]), moved);
        filter.docker_user = None;
        assert_eq!(words(&filter, &["b"]), ["FORWARD from b Last", "FORWARD to b Last"]);
        assert_eq!(words(&forward(false, &[""]), &["b"]), [""; 0]);
        assert_eq!(words(&IptablesFilter::default(), &["b"]), [""; 0]);
    }

    #[test]
    fn they_go_before_what_refuses_everything() {
        let added = |place: &str| ["from", "to"].map(|way| format!("FORWARD {way} b {place}"));
        assert_eq!(words(&forward(false, &["", "REJECT"]), &["b"]), added("Before(2)"));
        assert_eq!(words(&forward(true, &["REJECT", ""]), &["b"]), added("Before(1)"));
        let ours = ["pontoon-00abcd-from-b-7", "pontoon-00abcd-to-b-7"];
        assert_eq!(words(&forward(false, &[ours[0], ours[1], "REJECT", ""]), &["b"]), [""; 0]);
        let moved = |place: &str| [vec!["FORWARD -2".to_owned(), "FORWARD -3".into()], added(place).into()].concat();
        assert_eq!(words(&forward(false, &["REJECT", ours[0], ours[1]]), &["b"]), moved("Before(1)"));
        let early = [["FORWARD -1", "FORWARD -2"].map(str::to_owned), added("Before(4)")].concat();
        assert_eq!(words(&forward(true, &[ours[0], ours[1], "", "REJECT"]), &["b"]), early);
    }
}

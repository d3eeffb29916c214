//! Whether a history of operations on one key could have happened one after the other, each at some instant between its call and its answer: a
//! search in the manner of Wing and Gong that remembers where it was. What had no answer happened at any instant after its call, or never.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::Duration;

/// Operations of one history: each is a bit.
pub const MOST: usize = 128;

/// Where a search gives up: a history of a test's is far from it.
const PLACES: usize = 4_000_000;

/// What a key has: the node that it belongs to, and a value.
pub type State = Option<(u8, u64)>;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The node puts a value, unless the key is another node's.
    Put(u64),
    /// The node deletes it, if it is its own.
    Delete,
    /// It is read.
    Get,
    /// The node's lease ends.
    Expire,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is so now.
    Done,
    /// The key is this node's.
    Taken(u8),
    /// What was read.
    Read(State),
    /// Nobody knows.
    Unknown,
}

/// One operation. Times are since the beginning of the history.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Whose.
    pub node: u8,
    pub action: Action,
    pub answer: Answer,
    pub called: Duration,
    pub answered: Duration,
}

impl Operation {
    fn is_known(&self) -> bool {
        self.answer != Answer::Unknown
    }

    /// What the key has after this; none: it can't be answered so. What is unknown and changes nothing need not have happened.
    fn step(&self, state: State) -> Option<State> {
        let own = state.is_none_or(|(owner, _)| owner == self.node);
        let (next, answer) = match (self.action, state) {
            (Action::Put(_), Some((owner, _))) if !own => (state, Answer::Taken(owner)),
            (Action::Put(value), _) => (Some((self.node, value)), Answer::Done),
            (Action::Delete | Action::Expire, _) => (if own { None } else { state }, Answer::Done),
            (Action::Get, _) => (state, Answer::Read(state)),
        };
        if self.is_known() { (self.answer == answer).then_some(next) } else { (next != state).then_some(next) }
    }
}

/// Whether there is an order.
pub fn is_linear(history: &[Operation]) -> bool {
    assert!(history.len() <= MOST, "{} operations on one key", history.len());
    let mut history = history.to_vec();
    // The last one is looked at first: what is known, and of that what was called first.
    history.sort_by_key(|one| (one.is_known(), Reverse(one.called)));
    let known = (0..history.len()).filter(|i| history[*i].is_known()).fold(0_u128, |mask, i| mask | 1 << i);
    let (mut places, mut seen) = (vec![(0_u128, None)], HashSet::new());
    while let Some((done, state)) = places.pop() {
        if done & known == known {
            return true;
        }
        let open = || history.iter().enumerate().filter(|(i, _)| done & 1 << i == 0);
        let first = open().filter(|(_, one)| one.is_known()).map(|(_, one)| one.answered).min().unwrap_or_default();
        for (i, one) in open().filter(|(_, one)| one.called <= first) {
            if let Some(next) = one.step(state) {
                let place = (done | 1 << i, next);
                if seen.insert(place) {
                    places.push(place);
                }
            }
        }
        assert!(seen.len() < PLACES, "too many orders of {history:#?}");
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Node, action, answer, from, to.
    type Row = (u8, Action, Answer, u64, u64);

    fn history(rows: &[Row]) -> Vec<Operation> {
        let one = |(node, action, answer, called, answered): &Row| Operation {
            node: *node,
            action: *action,
            answer: *answer,
            called: Duration::from_millis(*called),
            answered: Duration::from_millis(*answered),
        };
        rows.iter().map(one).collect()
    }

    use Action::{Delete, Expire, Get, Put};
    use Answer::{Done, Read, Taken, Unknown};

    #[test]
    fn what_could_have_happened_is_taken() {
        let good: &[&[Row]] = &[
            &[],
            &[
                (1, Put(1), Done, 0, 1),
                (2, Get, Read(Some((1, 1))), 2, 3),
                (1, Delete, Done, 4, 5),
                (2, Get, Read(None), 6, 7),
            ],
            // At the same time: either may be the first.
            &[(1, Put(1), Done, 0, 9), (2, Put(2), Taken(1), 0, 9)],
            &[(1, Put(1), Done, 0, 9), (2, Get, Read(None), 1, 2), (2, Get, Read(Some((1, 1))), 3, 4)],
            &[(1, Put(1), Done, 0, 9), (1, Put(2), Done, 1, 2), (2, Get, Read(Some((1, 1))), 3, 4)],
            // An answer was lost: it happened later, or never.
            &[(1, Put(1), Unknown, 0, 1), (2, Get, Read(None), 2, 3), (2, Get, Read(Some((1, 1))), 4, 5)],
            &[(1, Put(1), Unknown, 0, 1), (2, Put(2), Done, 2, 3), (2, Get, Read(Some((2, 2))), 4, 5)],
            &[(1, Put(1), Unknown, 0, 1), (2, Put(2), Taken(1), 2, 3)],
            // A node that is silent.
            &[
                (1, Put(1), Done, 0, 1),
                (1, Expire, Unknown, 2, 2),
                (2, Put(2), Done, 5, 6),
                (1, Delete, Done, 7, 8),
                (3, Get, Read(Some((2, 2))), 9, 9),
            ],
            &[
                (2, Delete, Done, 0, 1),
                (1, Put(1), Done, 2, 3),
                (2, Delete, Done, 4, 5),
                (2, Get, Read(Some((1, 1))), 6, 7),
            ],
        ];
        for rows in good {
            assert!(is_linear(&history(rows)), "{rows:?}");
        }
    }

    #[test]
    fn what_can_not_have_happened_is_found() {
        let bad: &[&[Row]] = &[
            // Read from an old copy.
            &[(1, Put(1), Done, 0, 1), (1, Put(2), Done, 2, 3), (2, Get, Read(Some((1, 1))), 4, 5)],
            &[(1, Put(1), Done, 0, 1), (1, Delete, Done, 2, 3), (2, Get, Read(Some((1, 1))), 4, 5)],
            // Two have it.
            &[(1, Put(1), Done, 0, 9), (2, Put(2), Done, 0, 9)],
            // Lost, although it was answered.
            &[(1, Put(1), Done, 0, 1), (2, Get, Read(None), 2, 3)],
            // Back and forth.
            &[(1, Put(1), Done, 0, 9), (2, Get, Read(Some((1, 1))), 1, 2), (2, Get, Read(None), 3, 4)],
            // Before it was put.
            &[(2, Get, Read(Some((1, 1))), 0, 1), (1, Put(1), Done, 2, 3)],
            // Taken by nobody, and by somebody else.
            &[(2, Put(2), Taken(1), 0, 1), (1, Put(1), Done, 2, 3)],
            &[(1, Put(1), Done, 0, 1), (2, Put(2), Taken(3), 2, 3)],
            // What had no answer happens once.
            &[
                (1, Put(1), Unknown, 0, 1),
                (2, Get, Read(Some((1, 1))), 2, 3),
                (1, Delete, Done, 4, 5),
                (2, Get, Read(Some((1, 1))), 6, 7),
            ],
            &[(1, Put(1), Done, 0, 1), (2, Expire, Unknown, 2, 2), (2, Put(2), Done, 5, 6)],
        ];
        for rows in bad {
            assert!(!is_linear(&history(rows)), "{rows:?}");
        }
    }

    /// Every order of all that is known and any of what is not.
    fn by_force(open: &[Operation], state: State) -> bool {
        if open.iter().all(|one| !one.is_known()) {
            return true;
        }
        (0..open.len()).any(|i| {
            let (one, mut rest) = (open[i], open.to_vec());
            rest.remove(i);
            let is_next = rest.iter().all(|other| !other.is_known() || other.answered >= one.called);
            is_next && one.step(state).is_some_and(|next| by_force(&rest, next))
        })
    }

    /// Random ones, good and bad: as a search of all orders finds.
    #[test]
    fn it_finds_what_all_orders_show() {
        let mut counts = [0, 0];
        for seed in 0..20_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let rows = (0..random.usize(3..7)).map(|_| {
                let (node, called) = (random.u8(1..3), random.u64(0..12));
                let some = [None, Some((random.u8(1..3), random.u64(1..3)))];
                let (action, answer) = match random.u8(0..10) {
                    0..4 => (Put(random.u64(1..3)), [Done, Done, Taken(3 - node), Unknown][random.usize(0..4)]),
                    4..6 => (Delete, [Done, Done, Unknown][random.usize(0..3)]),
                    6 => (Expire, Unknown),
                    _ => (Get, Read(some[random.usize(0..2)])),
                };
                (node, action, answer, called, called + random.u64(0..6))
            });
            let history = history(&rows.collect::<Vec<_>>());
            let expected = by_force(&history, None);
            counts[usize::from(expected)] += 1;
            assert_eq!(is_linear(&history), expected, "{seed}: {history:#?}");
        }
        assert!(counts.iter().all(|count| *count > 1_000), "{counts:?}: of each kind");
    }
}

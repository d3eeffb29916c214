//! Chains of a network's own, which packet rules lead to by [`Action::Jump`] and [`Action::Goto`]. What is asked of many packets is asked once, and
//! what follows stands in a chain.
//!
//! A chain is behind one base chain, and its rules may do what those of the base chain may. They need no tie to the network: each packet comes by a
//! rule that has one.

use crate::namespaces::Namespace;
use crate::nftables::{Chain, RuleId};
use crate::packets::{Action, Condition, Property, Statement};
use crate::{Result, sys};

/// A rule of a chain that [`add`] made.
#[derive(Clone, Debug)]
pub struct ChainRule<'a> {
    /// All of them must hold; at most 16.
    pub conditions: Vec<Condition<'a>>,
    /// In order; at most 8.
    pub statements: Vec<Statement<'a>>,
    /// What happens then.
    pub action: Action<'a>,
}

impl<'a> ChainRule<'a> {
    /// A rule without conditions and statements.
    pub fn new(action: impl Into<Action<'a>>) -> Self {
        Self { conditions: Vec::new(), statements: Vec::new(), action: action.into() }
    }

    /// And this must hold.
    #[must_use]
    pub fn when(mut self, property: impl Into<Property<'a>>) -> Self {
        self.conditions.push(Condition { property: property.into(), negated: false });
        self
    }

    /// And this must not hold.
    #[must_use]
    pub fn unless(mut self, property: impl Into<Property<'a>>) -> Self {
        self.conditions.push(Condition { property: property.into(), negated: true });
        self
    }

    /// And then this is done.
    #[must_use]
    pub fn and(mut self, statement: Statement<'a>) -> Self {
        self.statements.push(statement);
        self
    }
}

/// Makes an empty chain behind a base chain, which belongs to the endpoint or network of the call. Rules of the base chain lead there, and those of
/// chains behind it that were made later. Its name: 1 to 32 letters, digits, `-` or `_`.
///
/// # Errors
/// `AlreadyExists`: the network has a chain of that name, or this call has removed it. `InvalidArgument`: the name. `Forbidden`: a hook with a
/// priority that the grant does not name. `Unavailable`: the driver has as many rules and chains as its grant says.
pub fn add(namespace: Option<&Namespace>, name: &str, base: Chain) -> Result<()> {
    sys::chains::add(namespace.map(|namespace| &namespace.0), name, base)
}

/// Removes a chain, when the call has returned `Ok`. Ok if it is not there.
///
/// # Errors
/// `Forbidden`: a rule stands in it, or leads there.
pub fn remove(name: &str) -> Result<()> {
    sys::chains::remove(name)
}

/// The names of the network's chains.
///
/// # Errors
/// None to be expected.
pub fn list() -> Result<Vec<String>> {
    sys::chains::list()
}

/// Adds rules at the end of a chain. They belong to the endpoint or network of the call, and go with
/// [`nftables::remove`](crate::nftables::remove).
///
/// # Errors
/// As [`packets::add`](crate::packets::add). `NotFound`: no such chain. `Forbidden`: another endpoint's chain. `InvalidArgument`: a way to a chain
/// that was not made before this one, or is behind another base chain. `Unavailable`: more than 8 chains behind each other, or ways by which a packet
/// may meet more than 65,536 rules.
pub fn add_rules(chain: &str, rules: &[ChainRule]) -> Result<Vec<RuleId>> {
    sys::chains::add_rules(chain, rules)
}

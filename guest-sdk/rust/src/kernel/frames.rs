//! Rules for what comes to bridges and passes from port to port, where [`packets`](crate::packets) see nothing of it.
//! [`nftables::remove`](crate::nftables::remove), [`nftables::list`](crate::nftables::list) and [`packets::counters`](crate::packets::counters) are for
//! these, too.

use crate::namespaces::Namespace;
use crate::nftables::{self, Hook, RuleId};
use crate::packets::{self, Action, Statement};
use crate::{MacAddress, Result, sys};

/// A property of a frame.
#[derive(Clone, Copy, Debug)]
pub enum Property<'a> {
    /// One of a packet, without sets, and without what needs routes or connections.
    Packet(packets::Property<'a>),
    /// Who sends it.
    EtherSource(MacAddress),
    /// Whom it is for.
    EtherDestination(MacAddress),
    /// What is in it: IPv4 0x0800, ARP 0x0806, IPv6 0x86dd.
    EtherType(u16),
}

impl<'a> From<packets::Property<'a>> for Property<'a> {
    fn from(property: packets::Property<'a>) -> Self {
        Self::Packet(property)
    }
}

impl<'a> From<nftables::Property<'a>> for Property<'a> {
    fn from(property: nftables::Property<'a>) -> Self {
        Self::Packet(property.into())
    }
}

/// A property that must hold, or must not.
#[derive(Clone, Copy, Debug)]
pub struct Condition<'a> {
    /// The property.
    pub property: Property<'a>,
    /// The condition holds where the property does not.
    pub negated: bool,
}

/// A rule. One of its conditions names a link of the driver's own.
#[derive(Clone, Debug)]
pub struct FrameRule<'a> {
    /// Where frames are seen.
    pub hook: Hook,
    /// The lower, the sooner.
    pub priority: i32,
    /// All of them must hold; at most 16.
    pub conditions: Vec<Condition<'a>>,
    /// In order; at most 8: counters, limits, marks.
    pub statements: Vec<Statement<'a>>,
    /// What happens then: it proceeds, is accepted, dropped or logged.
    pub action: Action<'a>,
}

impl<'a> FrameRule<'a> {
    /// A rule without conditions and statements.
    pub fn new(hook: Hook, priority: i32, action: impl Into<Action<'a>>) -> Self {
        Self { hook, priority, conditions: Vec::new(), statements: Vec::new(), action: action.into() }
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

/// Adds rules at the ends of their chains. They belong to the endpoint or network of the call.
///
/// # Errors
/// As [`packets::add`](crate::packets::add). `InvalidArgument`: no condition that names a link of the driver's own; what a bridge has not.
pub fn add(namespace: Option<&Namespace>, rules: &[FrameRule]) -> Result<Vec<RuleId>> {
    sys::frames::add(namespace.map(|namespace| &namespace.0), rules)
}

//! Policy rules of this instance (RTM_*RULE, linux/fib_rules.h).

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use rustix::io::Errno;

use crate::change::plan::Plan;
use crate::ip::address::FAMILIES;
use crate::link::mark::Marks;
use crate::transport::attribute::{after, ip, number, text};
use crate::transport::session::Session;
use crate::transport::socket::{Message, Request, flag, malformed};
use crate::{Change, Error, LinkName, Namespace, RT_TABLE_NONE, Rule};

pub(crate) const RTM_NEWRULE: u16 = 32;
pub(crate) const RTM_DELRULE: u16 = 33;
pub(crate) const RTM_GETRULE: u16 = 34;
/// `struct fib_rule_hdr`.
pub(crate) const HEADER: usize = 12;
pub(crate) const FRA_DST: u16 = 1;
pub(crate) const FRA_SRC: u16 = 2;
pub(crate) const FRA_IIFNAME: u16 = 3;
pub(crate) const FRA_PRIORITY: u16 = 6;
pub(crate) const FRA_FWMARK: u16 = 10;
pub(crate) const FRA_TABLE: u16 = 15;
pub(crate) const FRA_FWMASK: u16 = 16;
pub(crate) const FRA_PROTOCOL: u16 = 21;

/// Adds a rule.
pub(crate) fn add(rule: &Rule, marks: Marks) -> Plan {
    let request = Request::one(RTM_NEWRULE, flag::CREATE | flag::EXCL, &message(rule, marks));
    Plan::make(request, Change::RemoveRule(rule.clone()))
}

/// Removes a rule of this instance: the kernel compares the protocol number, too.
pub(crate) fn remove(rule: &Rule, marks: Marks) -> Plan {
    let request = Request::one(RTM_DELRULE, 0, &message(rule, marks));
    Plan::remove(request, &[Errno::NOENT], Change::AddRule(rule.clone()))
}

fn message(rule: &Rule, marks: Marks) -> RuleMessage {
    let mut message = RuleMessage::default();
    let header = &mut message.header;
    header.family = if rule.ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
    header.action = if rule.table == RT_TABLE_NONE { RuleAction::Prohibit } else { RuleAction::ToTable };
    header.src_len = rule.source.map_or(0, |n| n.prefix_len());
    header.dst_len = rule.destination.map_or(0, |n| n.prefix_len());
    // RT_TABLE_COMPAT where the number has more than the header's 8 bits.
    header.table = u8::try_from(rule.table).unwrap_or(252);
    let attributes = &mut message.attributes;
    attributes.push(RuleAttribute::Priority(rule.priority));
    attributes.push(RuleAttribute::Table(rule.table));
    attributes.push(RuleAttribute::Protocol(RouteProtocol::from(marks.protocol())));
    attributes.extend(rule.source.map(|n| RuleAttribute::Source(n.network())));
    attributes.extend(rule.destination.map(|n| RuleAttribute::Destination(n.network())));
    attributes.extend(rule.input.as_ref().map(|name| RuleAttribute::Iifname(name.to_string())));
    if let Some((mark, mask)) = rule.mark {
        attributes.push(RuleAttribute::FwMark(mark));
        attributes.push(RuleAttribute::FwMask(mask));
    }
    message
}

/// This instance's rules.
pub(crate) fn list(session: &mut Session, at: &Namespace, marks: Marks) -> Result<Vec<Rule>, Error> {
    let mut found = Vec::new();
    for family in FAMILIES {
        let mut question = RuleMessage::default();
        question.header.family = family;
        for message in session.list(at, "rules", Request::dump(RTM_GETRULE, &question))? {
            found.extend(read(&message, at, marks)?);
        }
    }
    Ok(found)
}

fn read(message: &Message, at: &Namespace, marks: Marks) -> Result<Option<Rule>, Error> {
    let body = message.body.as_slice();
    let [family, to, from, _, table, ..] = *body.first_chunk::<HEADER>().ok_or_else(malformed)?;
    let network = |address: IpAddr, prefix| IpNet::new(address, prefix).map_err(|_| malformed());
    let ipv6 = family == u8::from(AddressFamily::Inet6);
    let mut rule = Rule {
        namespace: at.clone(),
        ipv6,
        priority: 0,
        source: None,
        destination: None,
        input: None,
        mark: None,
        table: table.into(),
    };
    let (mut protocol, mut mark, mut mask) = (0, None, u32::MAX);
    for attribute in after(body, HEADER)? {
        let (kind, value) = attribute?;
        match kind {
            FRA_DST => rule.destination = Some(network(ip(value)?, to)?),
            FRA_SRC => rule.source = Some(network(ip(value)?, from)?),
            FRA_IIFNAME => rule.input = LinkName::new(&text(value)).ok(),
            FRA_PRIORITY => rule.priority = number(value)?,
            FRA_FWMARK => mark = Some(number(value)?),
            FRA_FWMASK => mask = number(value)?,
            FRA_TABLE => rule.table = number(value)?,
            FRA_PROTOCOL => protocol = value.first().copied().unwrap_or(0),
            _ => {}
        }
    }
    rule.mark = mark.filter(|m| *m != 0 || mask != 0).map(|mark| (mark, mask));
    Ok((protocol == marks.protocol()).then_some(rule))
}

//! A packet that is followed through the host's rules, and whether a rule holds for it: for certain, perhaps, or not.
//!
//! What a rule tests is compared with what is known of the packet; whatever else it tests holds perhaps. Expressions are nft's own and the
//! matches of iptables that most firewalls are made of (`struct xt_*` in linux/netfilter).

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::nft::expression::{
    NFT_CT_STATE, NFT_CT_STATUS, NFT_FIB_RESULT_ADDRTYPE, NFT_GOTO, NFT_JUMP, NFT_LOOKUP_F_INV, NFT_META_IIF,
    NFT_META_IIFNAME, NFT_META_L4PROTO, NFT_META_NFPROTO, NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER,
    NFT_REG_VERDICT, NFT_RETURN, NFTA_CMP_DATA, NFTA_CMP_OP, NFTA_DATA_VALUE, NFTA_DATA_VERDICT, NFTA_EXPR_DATA,
    NFTA_EXPR_NAME, NFTA_FIB_F_DADDR, NFTA_IMMEDIATE_DATA, NFTA_LOOKUP_SET, NFTA_VERDICT_CHAIN, NFTA_VERDICT_CODE,
    RTN_LOCAL, Test,
};
use crate::nft::map::NFTA_SET_ELEM_DATA;
use crate::nft::sets::{END, NFTA_SET_ELEM_FLAGS};
use crate::nft::{NF_DROP, NFPROTO_IPV4, NFPROTO_IPV6, find, message};
use crate::transport::attribute::{after, attributes, big_number, text};
use crate::transport::socket::Message;
use crate::{Error, Packet};

/// Of meta, ct, payload and fib: what is loaded. Where there is no register to load it into, something is set.
const NFTA_LOAD_REGISTER: u16 = 1;
const NFTA_LOAD_KEY: u16 = 2;
const NFTA_PAYLOAD_OFFSET: u16 = 3;
const NFTA_PAYLOAD_LEN: u16 = 4;
const NFTA_FIB_FLAGS: u16 = 3;
const NFTA_BITWISE_MASK: u16 = 4;
const NFTA_BITWISE_XOR: u16 = 5;
const NFTA_BITWISE_OP: u16 = 6;
const NFTA_RANGE_OP: u16 = 2;
const NFTA_RANGE_FROM_DATA: u16 = 3;
const NFTA_RANGE_TO_DATA: u16 = 4;
const NFTA_LOOKUP_DREG: u16 = 3;
const NFTA_LOOKUP_FLAGS: u16 = 5;
const NFTA_SET_ELEM_KEY_END: u16 = 10;
const NFTA_XT_NAME: u16 = 1;
const NFTA_XT_INFO: u16 = 3;
/// NF_CT_STATE_BIT(IP_CT_NEW), and so is XT_CONNTRACK_STATE_BIT.
const NEW: u32 = 1 << 3;
/// XT_CONNTRACK_STATE_ALIAS: it was written as `-m state`.
const STATE_ALIAS: u16 = 1 << 13;
const UDP: u8 = 17;
/// IFNAMSIZ: a name as the kernel compares it, with zeros behind it.
const LINK_NAME_BYTES: usize = 16;
/// How a bridge may be called that no rule names: rules for `br-*` hold for it.
const BRIDGE: &str = "br-000000000000";

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept,
    Drop,
    Return,
    Jump(String),
    Goto(String),
}

/// A rule that ends something, for a packet that it may hold for.
#[derive(Clone)]
pub(super) struct Rule {
    pub chain: String,
    pub verdict: Verdict,
    /// For certain, not only perhaps.
    pub is_certain: bool,
}

/// Whether a test holds; none: perhaps.
type Holds = Option<bool>;

/// The value that the next comparison looks at; none: it isn't known.
type Loaded = Option<Value>;

/// Bytes, of which some may not be known.
struct Value(Vec<Option<u8>>);

impl Value {
    /// All of them.
    fn known(&self) -> Option<Vec<u8>> {
        self.0.iter().copied().collect()
    }

    /// Whether they begin so.
    fn begins_with(&self, value: &[u8]) -> Holds {
        let pairs = || self.0.iter().zip(value);
        match pairs().all(|(byte, value)| byte.is_none_or(|byte| byte == *value)) {
            true if self.0.len() < value.len() || pairs().any(|(byte, _)| byte.is_none()) => None,
            same => Some(same),
        }
    }
}

impl<T: AsRef<[u8]>> From<T> for Value {
    fn from(bytes: T) -> Self {
        Self(bytes.as_ref().iter().copied().map(Some).collect())
    }
}

/// What a set or a map has.
#[derive(Default)]
pub(super) struct Members {
    /// By the value, and whether it ends an interval: the verdict that a map has for it.
    elements: BTreeMap<(Vec<u8>, bool), Option<Verdict>>,
}

impl Members {
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Adds an element; none: it is of a kind that isn't known here.
    pub fn add(&mut self, element: &[u8]) -> Option<()> {
        let value = bytes(element, message::NFTA_SET_ELEM_KEY)?;
        let flags = long(element, NFTA_SET_ELEM_FLAGS).unwrap_or_default();
        if flags & !END != 0 || field(element, NFTA_SET_ELEM_KEY_END).is_some() {
            return None;
        }
        let verdict = field(element, NFTA_SET_ELEM_DATA).and_then(verdict);
        self.elements.insert((value.to_vec(), flags & END == 0), verdict);
        Some(())
    }

    /// The element that has a value; none: that can't be said.
    fn find(&self, value: &[u8]) -> Option<Option<&Option<Verdict>>> {
        if self.elements.keys().any(|(key, _)| key.len() != value.len()) {
            return None;
        }
        let is_interval = self.elements.keys().any(|(_, begins)| !begins);
        let (key, verdict) = match self.elements.range(..=(value.to_vec(), true)).next_back() {
            Some(((key, true), verdict)) => (key, verdict),
            _ => return Some(None),
        };
        Some((is_interval || key == value).then_some(verdict))
    }
}

/// The rule, if it may hold for a packet of a family and ends something. `sets` has what is in a set of its table; none: that can't be said.
pub(super) fn rule(
    message: &Message,
    packet: &Packet,
    is_ipv6: bool,
    sets: &mut dyn FnMut(&str) -> Option<Rc<Members>>,
) -> Result<Option<Rule>, Error> {
    let chain = text(find(message, message::NFTA_RULE_CHAIN)?);
    let expressions = after(&message.body, message::HEADER)?.find(message::NFTA_RULE_EXPRESSIONS)?;
    let (mut loaded, mut is_certain, mut ends) = (None, true, None);
    // An expression of a shape that isn't known here may hold or not.
    for (_, expression) in attributes(expressions.unwrap_or_default()).flatten() {
        let value = |kind| field(expression, kind).unwrap_or_default();
        let (name, data) = (text(value(NFTA_EXPR_NAME)), value(NFTA_EXPR_DATA));
        let mut holds = Some(true);
        match name.as_str() {
            "counter" | "log" | "notrack" | "flow_offload" => {}
            "meta" | "ct" | "payload" | "fib" | "rt" | "socket" | "exthdr" => {
                loaded = load(&name, data, packet, is_ipv6);
            }
            "bitwise" => loaded = loaded.and_then(|value| masked(&value, data)),
            "cmp" => holds = loaded.as_ref().and_then(|value| compared(value, data)),
            "range" => holds = loaded.as_ref().and_then(|value| ranged(value, data)),
            "lookup" => {
                let value = loaded.as_ref().and_then(Value::known);
                let members = value.as_ref().and(field(data, NFTA_LOOKUP_SET)).and_then(|set| sets(&text(set)));
                let found = value.zip(members.as_deref()).and_then(|(value, members)| members.find(&value));
                let negated = long(data, NFTA_LOOKUP_FLAGS).unwrap_or_default() & NFT_LOOKUP_F_INV != 0;
                holds = found.map(|found| found.is_some() != negated);
                match long(data, NFTA_LOOKUP_DREG) {
                    None => {}
                    // Where it isn't known what the map says, it may accept.
                    Some(NFT_REG_VERDICT) => ends = found.flatten().cloned().flatten().or(Some(Verdict::Accept)),
                    Some(_) => loaded = None,
                }
            }
            "match" => holds = matched(data, packet),
            "reject" => ends = Some(Verdict::Drop),
            // A program decides.
            "queue" => ends = Some(Verdict::Accept),
            "immediate" => ends = field(data, NFTA_IMMEDIATE_DATA).and_then(verdict).or(ends),
            "target" => match field(data, NFTA_XT_NAME).map(text).as_deref() {
                Some("REJECT" | "DROP") => ends = Some(Verdict::Drop),
                Some("NFQUEUE") => ends = Some(Verdict::Accept),
                _ => {}
            },
            _ => holds = None,
        }
        match holds {
            Some(true) => {}
            Some(false) => return Ok(None),
            None => is_certain = false,
        }
    }
    Ok(ends.map(|verdict| Rule { chain, verdict, is_certain }))
}

fn field(data: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(data).find(kind).ok().flatten()
}

/// A number of an expression's.
fn long(data: &[u8], kind: u16) -> Option<u32> {
    field(data, kind).and_then(|value| big_number(value).ok())
}

/// A value of an expression's.
fn bytes(data: &[u8], kind: u16) -> Option<&[u8]> {
    field(field(data, kind)?, NFTA_DATA_VALUE)
}

fn load(name: &str, data: &[u8], packet: &Packet, is_ipv6: bool) -> Loaded {
    field(data, NFTA_LOAD_REGISTER)?;
    let (link, index) = match packet {
        Packet::Forwarded => (BRIDGE, 0),
        Packet::Udp { link, index, .. } => (link.as_str(), *index),
    };
    match (name, long(data, NFTA_LOAD_KEY)?) {
        ("ct", NFT_CT_STATE) => return Some(NEW.to_ne_bytes().into()),
        // Nothing of it is decided yet.
        ("ct", NFT_CT_STATUS) => return Some([0; 4].into()),
        ("meta", NFT_META_NFPROTO) => return Some([if is_ipv6 { NFPROTO_IPV6 } else { NFPROTO_IPV4 }].into()),
        ("meta", NFT_META_IIF) => return Some(index.to_ne_bytes().into()),
        ("meta", NFT_META_IIFNAME) => {
            let mut name = link.as_bytes().to_vec();
            name.resize(LINK_NAME_BYTES, 0);
            return Some(name.into());
        }
        _ => {}
    }
    let Packet::Udp { port, .. } = packet else { return None };
    let place = || Some((long(data, NFTA_PAYLOAD_OFFSET)?, long(data, NFTA_PAYLOAD_LEN)?));
    match (name, long(data, NFTA_LOAD_KEY)?) {
        ("meta", NFT_META_L4PROTO) => Some([UDP].into()),
        ("payload", NFT_PAYLOAD_TRANSPORT_HEADER) if place() == Some((2, 2)) => Some(port.to_be_bytes().into()),
        // Both ports.
        ("payload", NFT_PAYLOAD_TRANSPORT_HEADER) if place() == Some((0, 4)) => {
            let [high, low] = port.to_be_bytes().map(Some);
            Some(Value(vec![None, None, high, low]))
        }
        // The protocol in an IPv4 header.
        ("payload", NFT_PAYLOAD_NETWORK_HEADER) if place() == Some((9, 1)) && !is_ipv6 => Some([UDP].into()),
        ("fib", NFT_FIB_RESULT_ADDRTYPE) if long(data, NFTA_FIB_FLAGS)? & NFTA_FIB_F_DADDR != 0 => {
            Some(RTN_LOCAL.to_ne_bytes().into())
        }
        _ => None,
    }
}

fn masked(loaded: &Value, data: &[u8]) -> Loaded {
    let is_shift = long(data, NFTA_BITWISE_OP).is_some_and(|operation| operation != 0);
    let (mask, xor) = (bytes(data, NFTA_BITWISE_MASK)?, bytes(data, NFTA_BITWISE_XOR)?);
    if is_shift || mask.len() != loaded.0.len() || xor.len() != loaded.0.len() {
        return None;
    }
    let bytes = loaded.0.iter().zip(mask).zip(xor);
    Some(Value(bytes.map(|((byte, mask), xor)| byte.map(|byte| byte & mask ^ xor)).collect()))
}

fn compared(loaded: &Value, data: &[u8]) -> Holds {
    let (value, test) = (bytes(data, NFTA_CMP_DATA)?, long(data, NFTA_CMP_OP)?);
    // `br-*` is compared without the rest of the name.
    match test {
        _ if test == Test::Equal as u32 => return loaded.begins_with(value),
        _ if test == Test::Unequal as u32 => return loaded.begins_with(value).map(|equal| !equal),
        _ => {}
    }
    let order = loaded.known()?.get(..value.len())?.cmp(value);
    Some(match test {
        test if test == Test::Less as u32 => order.is_lt(),
        test if test == Test::AtMost as u32 => order.is_le(),
        test if test == Test::More as u32 => order.is_gt(),
        test if test == Test::AtLeast as u32 => order.is_ge(),
        _ => return None,
    })
}

fn ranged(loaded: &Value, data: &[u8]) -> Holds {
    let known = loaded.known()?;
    let is_in = (bytes(data, NFTA_RANGE_FROM_DATA)?..=bytes(data, NFTA_RANGE_TO_DATA)?).contains(&&*known);
    match long(data, NFTA_RANGE_OP)? {
        test if test == Test::Equal as u32 => Some(is_in),
        test if test == Test::Unequal as u32 => Some(!is_in),
        _ => None,
    }
}

/// A match of iptables.
fn matched(data: &[u8], packet: &Packet) -> Holds {
    let info = field(data, NFTA_XT_INFO).unwrap_or_default();
    let short = |at| short(info, at);
    let name = field(data, NFTA_XT_NAME).map(text).unwrap_or_default();
    match (name.as_str(), packet) {
        ("comment", _) => Some(true),
        // `struct xt_conntrack_mtinfo3`, where the states alone are tested: what is tested, what is negated, and the states.
        ("conntrack", _) if short(146).is_some_and(|tested| tested & !STATE_ALIAS == 1) => {
            short(150).zip(short(148)).map(|(states, not)| (u32::from(states) & NEW != 0) != (not & 1 != 0))
        }
        ("tcp" | "icmp" | "icmp6", Packet::Udp { .. }) => Some(false),
        ("udp", Packet::Udp { port, .. }) => ports_of_udp(info, *port),
        ("multiport", Packet::Udp { port, .. }) => ports_of_list(info, *port),
        // `struct xt_addrtype_info_v1`: of the source, of the destination, and what is negated.
        ("addrtype", Packet::Udp { .. }) if short(0) == Some(0) => {
            short(2).zip(short(4)).map(|(of, flags)| (u32::from(of) & 1 << RTN_LOCAL != 0) != (flags & 2 != 0))
        }
        _ => None,
    }
}

/// A number of two bytes in what iptables' programs and the kernel share.
fn short(info: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes([*info.get(at)?, *info.get(at + 1)?]))
}

/// `struct xt_udp`: source ports, destination ports, and what is negated.
fn ports_of_udp(info: &[u8], port: u16) -> Option<bool> {
    let [from, to, first, last] = [short(info, 0)?, short(info, 2)?, short(info, 4)?, short(info, 6)?];
    let inverted = *info.get(8)?;
    let is_to = (first..=last).contains(&port) != (inverted & 2 != 0);
    let any_source = (from, to) == (0, u16::MAX) && inverted & 1 == 0;
    if is_to && !any_source { None } else { Some(is_to) }
}

/// `struct xt_multiport_v1`: of which side, how many, 15 ports, whether the next one is the end of a range, and what is negated.
fn ports_of_list(info: &[u8], port: u16) -> Option<bool> {
    const DESTINATION: u8 = 1;
    let (side, count) = (*info.first()?, usize::from(*info.get(1)?));
    let port_at = |at: usize| short(info, 2 + 2 * at);
    let (mut at, mut found) = (0, false);
    while at < count.min(15) {
        let first = port_at(at)?;
        let is_range = *info.get(32 + at)? != 0;
        at += usize::from(is_range);
        found |= (first..=if is_range { port_at(at)? } else { first }).contains(&port);
        at += 1;
    }
    (side == DESTINATION).then_some(found != (*info.get(47)? != 0))
}

/// What a rule ends with; none: it loads a value.
fn verdict(data: &[u8]) -> Option<Verdict> {
    let verdict = field(data, NFTA_DATA_VERDICT)?;
    let to = || field(verdict, NFTA_VERDICT_CHAIN).map(text).unwrap_or_default();
    Some(match big_number(field(verdict, NFTA_VERDICT_CODE)?).ok()? {
        NF_DROP => Verdict::Drop,
        NFT_JUMP => Verdict::Jump(to()),
        NFT_GOTO => Verdict::Goto(to()),
        NFT_RETURN => Verdict::Return,
        // It is accepted, or a program decides.
        _ => Verdict::Accept,
    })
}

//! What a rule tests and does, as the kernel's expressions: loads into a register, comparisons, verdicts. They are encoded as nft itself
//! does it, so that `nft list ruleset` shows them as text. See NFTA_* in linux/netfilter/nf_tables.h.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::nft::chain;
use crate::transport::attribute::Writer;
use crate::{NftChain, NftCondition, NftField, NftMember, NftProperty, NftRule, NftSetKind, NftVerdict};

pub(in super::super) const NFTA_LIST_ELEM: u16 = 1;
pub(in super::super) const NFTA_EXPR_NAME: u16 = 1;
pub(in super::super) const NFTA_EXPR_DATA: u16 = 2;
/// Which translation a `nat` is: NFT_NAT_SNAT or NFT_NAT_DNAT.
pub(in super::super) const NFTA_NAT_TYPE: u16 = 1;
pub(in super::super) const NFTA_LOOKUP_SET: u16 = 1;
pub(in super::super) const NFTA_DATA_VALUE: u16 = 1;
pub(in super::super) const NFTA_DATA_VERDICT: u16 = 2;
pub(super) const NFTA_VERDICT_CODE: u16 = 1;
pub(in super::super) const NFTA_IMMEDIATE_DATA: u16 = 2;
pub(super) const NFTA_CMP_OP: u16 = 2;
pub(super) const NFTA_CMP_DATA: u16 = 3;
pub(in super::super) const NFTA_VERDICT_CHAIN: u16 = 2;
pub(super) const NFT_JUMP: u32 = (-3i32).cast_unsigned();
pub(super) const NFT_GOTO: u32 = (-4i32).cast_unsigned();
pub(super) const NFT_RETURN: u32 = (-5i32).cast_unsigned();
pub(super) const NFT_REG_VERDICT: u32 = 0;
/// The name of an anonymous set: the kernel puts a number in.
pub(in super::super) const SET: &str = "__set%d";
/// The two registers of 16 bytes that the rules here use.
pub(super) const REGISTER: u32 = 1;
const SECOND_REGISTER: u32 = 2;

pub(super) const NFT_META_IIF: u32 = 4;
pub(super) const NFT_META_OIF: u32 = 5;
pub(super) const NFT_META_IIFNAME: u32 = 6;
pub(super) const NFT_META_OIFNAME: u32 = 7;
pub(super) const NFT_META_NFPROTO: u32 = 15;
pub(super) const NFT_META_L4PROTO: u32 = 16;
pub(super) const NFT_META_IIFGROUP: u32 = 21;
pub(super) const NFT_LOOKUP_F_INV: u32 = 1;
pub(super) const NFPROTO_IPV4: u8 = 2;
pub(super) const NFPROTO_IPV6: u8 = 10;
const NFT_META_PROTOCOL: u32 = 1;
/// linux/if_ether.h.
const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;
const NFT_PAYLOAD_LL_HEADER: u32 = 0;
pub(super) const NFT_PAYLOAD_NETWORK_HEADER: u32 = 1;
pub(super) const NFT_PAYLOAD_TRANSPORT_HEADER: u32 = 2;
pub(super) const NFT_FIB_RESULT_ADDRTYPE: u32 = 3;
pub(super) const NFTA_FIB_F_DADDR: u32 = 2;
pub(super) const RTN_LOCAL: u32 = 2;
pub(super) const NFT_CT_STATE: u32 = 0;
pub(super) const NFT_CT_STATUS: u32 = 2;
/// linux/netfilter/nf_conntrack_common.h.
const IPS_DST_NAT: u32 = 1 << 5;
const NFT_NAT_SNAT: u32 = 0;
pub(super) const NFT_NAT_DNAT: u32 = 1;
const NF_DROP: u32 = 0;
pub(super) const NF_ACCEPT: u32 = 1;
/// NFT_CMP_* and, with the same numbers, NFT_RANGE_*.
#[derive(Clone, Copy)]
pub(super) enum Test {
    Equal = 0,
    Unequal = 1,
    Less = 2,
    AtMost = 3,
    More = 4,
    AtLeast = 5,
}

impl Test {
    pub fn equal(negated: bool) -> Self {
        if negated { Self::Unequal } else { Self::Equal }
    }
}

/// A rule's expressions (the value of NFTA_RULE_EXPRESSIONS), in family inet or, `of_frames`, bridge. Its first set has this number in the transaction.
pub(super) fn list(rule: &NftRule, of_frames: bool, first_set: u32) -> Writer {
    let empty = Expressions { next_set: first_set, of_frames, ..Expressions::default() };
    let mut list = rule.conditions.iter().fold(empty, Expressions::condition);
    list = rule.statements.iter().fold(list, Expressions::statement);
    list = list.verdict(rule.chain, &rule.verdict);
    list.written
}

/// Writes expressions one after the other.
#[derive(Default)]
pub(super) struct Expressions {
    /// Those that were written.
    pub written: Writer,
    /// The family that is tested already; like nft, once is enough.
    family: Option<u8>,
    /// The number of the next condition that looks into a set.
    next_set: u32,
    /// In family bridge, which knows the family of what is in a frame by its EtherType.
    of_frames: bool,
}

impl Expressions {
    /// Any expression.
    pub fn add(self, name: &str, data: Writer) -> Self {
        let expression = Writer::default().put_text(NFTA_EXPR_NAME, name).nest(NFTA_EXPR_DATA, data);
        Self { written: self.written.nest(NFTA_LIST_ELEM, expression), ..self }
    }

    fn condition(self, condition: &NftCondition) -> Self {
        let equal = Test::equal(condition.negated);
        match &condition.property {
            NftProperty::InputLink(index) => self.meta(NFT_META_IIF).compare(equal, &index.to_ne_bytes()),
            NftProperty::OutputLink(index) => self.meta(NFT_META_OIF).compare(equal, &index.to_ne_bytes()),
            NftProperty::InputGroup(group) => self.meta(NFT_META_IIFGROUP).compare(equal, &group.to_ne_bytes()),
            NftProperty::InputLinks(_) => self.meta(NFT_META_IIF).lookup(condition.negated),
            NftProperty::OutputLinks(_) => self.meta(NFT_META_OIF).lookup(condition.negated),
            NftProperty::Source(network) => self.address(*network, Side::Source, condition.negated),
            NftProperty::Destination(network) => self.address(*network, Side::Destination, condition.negated),
            NftProperty::DestinationLocal => self.destination_local(condition.negated),
            NftProperty::Protocol(number) => self.meta(NFT_META_L4PROTO).compare(equal, &[*number]),
            NftProperty::SourcePort(first, last) => self.port(0, *first, *last, condition.negated),
            NftProperty::DestinationPort(first, last) => self.port(2, *first, *last, condition.negated),
            NftProperty::Connection(states) => self.connection(NFT_CT_STATE, *states, condition.negated),
            NftProperty::DestinationTranslated => self.connection(NFT_CT_STATUS, IPS_DST_NAT, condition.negated),
            NftProperty::Member(member) => self.member(member, condition.negated),
            NftProperty::Mark { value, mask } => self.mark(*value, *mask, condition.negated),
            NftProperty::TcpFlags { set, mask } => self.tcp_flags(*set, *mask, condition.negated),
            NftProperty::IcmpType(number) => self.icmp_type(*number, condition.negated),
            NftProperty::EtherSource(mac) => self.payload(NFT_PAYLOAD_LL_HEADER, 6, 6).compare(equal, &mac.0),
            NftProperty::EtherDestination(mac) => self.payload(NFT_PAYLOAD_LL_HEADER, 0, 6).compare(equal, &mac.0),
            NftProperty::EtherType(number) => self.meta(NFT_META_PROTOCOL).compare(equal, &number.to_be_bytes()),
        }
    }

    /// `base`: what own chains are behind.
    fn verdict(self, base: NftChain, verdict: &NftVerdict) -> Self {
        match verdict {
            NftVerdict::Accept => self.code(NF_ACCEPT),
            NftVerdict::Drop => self.code(NF_DROP),
            NftVerdict::Masquerade => self.add("masq", Writer::default()),
            NftVerdict::SourceNat(address, port) => self.translate(NFT_NAT_SNAT, *address, *port),
            NftVerdict::DestinationNat(address, port) => self.translate(NFT_NAT_DNAT, *address, *port),
            NftVerdict::DestinationNatBy(map) => self.translate_by(map),
            NftVerdict::Proceed => self,
            NftVerdict::Reject(rejection) => self.reject(*rejection),
            NftVerdict::Log { prefix, rate } => self.log(prefix, *rate),
            NftVerdict::Jump(to) => self.lead(NFT_JUMP, &chain::own_name(base, to)),
            NftVerdict::Goto(to) => self.lead(NFT_GOTO, &chain::own_name(base, to)),
            NftVerdict::Return => self.code(NFT_RETURN),
        }
    }

    /// `meta load KEY`.
    pub fn meta(self, key: u32) -> Self {
        self.add("meta", Writer::default().put_big(1, REGISTER).put_big(2, key))
    }

    /// `payload load LENGTH @ BASE + OFFSET`.
    pub fn payload(self, base: u32, offset: u32, length: u32) -> Self {
        let data = Writer::default().put_big(1, REGISTER).put_big(2, base).put_big(3, offset).put_big(4, length);
        self.add("payload", data)
    }

    /// `fib daddr type local`.
    pub fn destination_local(self, negated: bool) -> Self {
        let data =
            Writer::default().put_big(1, REGISTER).put_big(2, NFT_FIB_RESULT_ADDRTYPE).put_big(3, NFTA_FIB_F_DADDR);
        self.add("fib", data).compare(Test::equal(negated), &RTN_LOCAL.to_ne_bytes())
    }

    /// `cmp TEST reg 1 VALUE`.
    pub fn compare(self, test: Test, value: &[u8]) -> Self {
        let data = Writer::default().put_big(1, REGISTER).put_big(2, test as u32).nest(3, data(value));
        self.add("cmp", data)
    }

    /// `lookup reg 1 set NAME`, a set of the same transaction.
    fn lookup(self, negated: bool) -> Self {
        let (id, flags) = (self.next_set, if negated { NFT_LOOKUP_F_INV } else { 0 });
        let data = Writer::default().put_text(1, SET).put_big(2, REGISTER).put_big(4, id).put_big(5, flags);
        Self { next_set: id + 1, ..self.add("lookup", data) }
    }

    /// The part of a packet, and `lookup reg 1 set NAME`, a set of the table's.
    fn member(self, member: &NftMember, negated: bool) -> Self {
        let flags = if negated { NFT_LOOKUP_F_INV } else { 0 };
        let data = Writer::default().put_text(NFTA_LOOKUP_SET, &member.set).put_big(2, REGISTER).put_big(5, flags);
        self.part(member.field, member.kind).add("lookup", data)
    }

    /// The part of a packet that a set of this kind has.
    pub fn part(self, field: NftField, kind: NftSetKind) -> Self {
        let is_ipv6 = matches!(kind, NftSetKind::Ipv6 | NftSetKind::Marks6);
        let this = match kind {
            NftSetKind::Ports => self,
            _ => self.only(if is_ipv6 { NFPROTO_IPV6 } else { NFPROTO_IPV4 }),
        };
        let (base, offset) = match field {
            NftField::SourcePort => (NFT_PAYLOAD_TRANSPORT_HEADER, 0),
            NftField::DestinationPort => (NFT_PAYLOAD_TRANSPORT_HEADER, 2),
            NftField::Source if is_ipv6 => (NFT_PAYLOAD_NETWORK_HEADER, Side::Source.offset6()),
            NftField::Source => (NFT_PAYLOAD_NETWORK_HEADER, Side::Source.offset4()),
            NftField::Destination if is_ipv6 => (NFT_PAYLOAD_NETWORK_HEADER, Side::Destination.offset6()),
            NftField::Destination => (NFT_PAYLOAD_NETWORK_HEADER, Side::Destination.offset4()),
        };
        this.payload(base, offset, kind.bytes() as u32)
    }

    /// `immediate reg 1 VALUE`.
    pub fn load(self, value: &[u8]) -> Self {
        self.add("immediate", Writer::default().put_big(1, REGISTER).nest(2, data(value)))
    }

    /// `bitwise reg 1 = ( reg 1 & MASK )`.
    pub fn mask(self, mask: &[u8]) -> Self {
        let length = mask.len() as u32;
        let writer = Writer::default().put_big(1, REGISTER).put_big(2, REGISTER).put_big(3, length);
        self.add("bitwise", writer.nest(4, data(mask)).nest(5, data(&vec![0; mask.len()])))
    }

    /// The family, then the network. Of a prefix of whole bytes only those are loaded.
    fn address(self, network: IpNet, side: Side, negated: bool) -> Self {
        let (family, offset, address, mask) = match network {
            IpNet::V4(v4) => {
                (NFPROTO_IPV4, side.offset4(), v4.network().octets().to_vec(), v4.netmask().octets().to_vec())
            }
            IpNet::V6(v6) => {
                (NFPROTO_IPV6, side.offset6(), v6.network().octets().to_vec(), v6.netmask().octets().to_vec())
            }
        };
        let this = self.only(family);
        let prefix = usize::from(network.prefix_len());
        if prefix == 0 && !negated {
            return this; // Every address of the family.
        }
        let whole = prefix > 0 && prefix % 8 == 0;
        let length = if whole { prefix / 8 } else { address.len() };
        let this = this.payload(NFT_PAYLOAD_NETWORK_HEADER, offset, length as u32);
        let this = if whole { this } else { this.mask(&mask) };
        this.compare(Test::equal(negated), &address[..length])
    }

    pub fn only(self, family: u8) -> Self {
        if self.family == Some(family) {
            return self;
        }
        let this = match (self.of_frames, family) {
            (false, _) => self.meta(NFT_META_NFPROTO).compare(Test::Equal, &[family]),
            (true, NFPROTO_IPV4) => self.meta(NFT_META_PROTOCOL).compare(Test::Equal, &ETH_P_IP.to_be_bytes()),
            (true, _) => self.meta(NFT_META_PROTOCOL).compare(Test::Equal, &ETH_P_IPV6.to_be_bytes()),
        };
        Self { family: Some(family), ..this }
    }

    fn port(self, offset: u32, first: u16, last: u16, negated: bool) -> Self {
        let this = self.payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset, 2);
        let (from, to) = (first.to_be_bytes(), last.to_be_bytes());
        match (first == last, negated) {
            (true, _) => this.compare(Test::equal(negated), &from),
            (false, false) => this.compare(Test::AtLeast, &from).compare(Test::AtMost, &to),
            (false, true) => {
                let range = Writer::default().put_big(1, REGISTER).put_big(2, Test::Unequal as u32);
                this.add("range", range.nest(3, data(&from)).nest(4, data(&to)))
            }
        }
    }

    /// One of the bits is set.
    fn connection(self, key: u32, bits: u32, negated: bool) -> Self {
        let this = self.add("ct", Writer::default().put_big(1, REGISTER).put_big(2, key));
        this.mask(&bits.to_ne_bytes()).compare(Test::equal(!negated), &[0; 4])
    }

    /// A verdict.
    pub fn code(self, code: u32) -> Self {
        let verdict = Writer::default().put_big(NFTA_VERDICT_CODE, code);
        let data = Writer::default().nest(NFTA_DATA_VERDICT, verdict);
        self.add("immediate", Writer::default().put_big(1, NFT_REG_VERDICT).nest(2, data))
    }

    fn lead(self, code: u32, chain: &str) -> Self {
        let verdict = Writer::default().put_big(NFTA_VERDICT_CODE, code).put_text(NFTA_VERDICT_CHAIN, chain);
        let data = Writer::default().nest(NFTA_DATA_VERDICT, verdict);
        self.add("immediate", Writer::default().put_big(1, NFT_REG_VERDICT).nest(NFTA_IMMEDIATE_DATA, data))
    }

    fn translate(self, kind: u32, address: IpAddr, port: Option<u16>) -> Self {
        let (family, bytes) = match address {
            IpAddr::V4(v4) => (NFPROTO_IPV4, v4.octets().to_vec()),
            IpAddr::V6(v6) => (NFPROTO_IPV6, v6.octets().to_vec()),
        };
        let load = |register, bytes: &[u8]| Writer::default().put_big(1, register).nest(2, data(bytes));
        let nat = Writer::default().put_big(NFTA_NAT_TYPE, kind).put_big(2, family.into()).put_big(3, REGISTER);
        let this = self.add("immediate", load(REGISTER, &bytes));
        match port {
            None => this.add("nat", nat),
            Some(port) => this
                .add("immediate", load(SECOND_REGISTER, &port.to_be_bytes()))
                .add("nat", nat.put_big(5, SECOND_REGISTER)),
        }
    }
}

/// The links that a condition looks for in a set.
pub(super) fn set(condition: &NftCondition) -> Option<&[u32]> {
    match &condition.property {
        NftProperty::InputLinks(links) | NftProperty::OutputLinks(links) => Some(links),
        _ => None,
    }
}

/// Which address of a packet.
enum Side {
    Source,
    Destination,
}

impl Side {
    /// In `struct iphdr`.
    fn offset4(&self) -> u32 {
        match self {
            Self::Source => 12,
            Self::Destination => 16,
        }
    }

    /// In `struct ipv6hdr`.
    fn offset6(&self) -> u32 {
        match self {
            Self::Source => 8,
            Self::Destination => 24,
        }
    }
}

pub(super) fn data(value: &[u8]) -> Writer {
    Writer::default().put(NFTA_DATA_VALUE, value)
}

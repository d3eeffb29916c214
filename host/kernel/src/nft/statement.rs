//! What a rule does before its verdict, and verdicts that are more than a code: as the kernel's expressions. And what rules have counted.

use std::collections::HashMap;

use crate::nft::expression::{
    Expressions, NFT_PAYLOAD_TRANSPORT_HEADER, NFTA_EXPR_DATA, NFTA_EXPR_NAME, REGISTER, Test, data,
};
use crate::nft::{chain, find, list as ask, message};
use crate::transport::attribute::{Writer, after, attributes, big_long, text};
use crate::transport::session::Session;
use crate::{Error, Namespace, NftCount, NftHandle, NftRate, NftRejection, NftStatement};

pub(super) const NFT_META_MARK: u32 = 3;
/// Where TCP has its flags.
const TCP_FLAGS: u32 = 13;
const NFT_RT_TCPMSS: u32 = 3;
const NFT_BYTEORDER_HTON: u32 = 1;
const NFT_EXTHDR_OP_TCPOPT: u32 = 1;
/// TCPOPT_MSS; its value stands behind kind and length, and has two bytes.
const MSS: (u8, u32, u32) = (2, 2, 2);
const NFTA_COUNTER_BYTES: u16 = 1;
const NFTA_COUNTER_PACKETS: u16 = 2;
const NFT_LIMIT_F_INV: u32 = 1;
/// NFT_REJECT_TCP_RST, and NFT_REJECT_ICMPX_UNREACH with its codes.
const TCP_RST: u32 = 1;
const ICMPX: u32 = 2;
/// Lines of a log that may come at once.
const LOG_BURST: u32 = 5;
const NFTA_LOG_PREFIX: u16 = 2;

impl Expressions {
    /// Bits of the packet's mark.
    pub fn mark(self, value: u32, mask: u32, negated: bool) -> Self {
        let loaded = self.meta(NFT_META_MARK).mask(&mask.to_ne_bytes());
        loaded.compare(Test::equal(negated), &value.to_ne_bytes())
    }

    /// Of these flags of TCP, those that are set.
    pub fn tcp_flags(self, set: u8, mask: u8, negated: bool) -> Self {
        let loaded = self.payload(NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS, 1).mask(&[mask]);
        loaded.compare(Test::equal(negated), &[set])
    }

    /// The type of an ICMP message.
    pub fn icmp_type(self, number: u8, negated: bool) -> Self {
        self.payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1).compare(Test::equal(negated), &[number])
    }

    /// A statement.
    pub fn statement(self, statement: &NftStatement) -> Self {
        match statement {
            NftStatement::Counter => {
                let none = 0u64.to_be_bytes();
                let counter = Writer::default().put(NFTA_COUNTER_BYTES, &none).put(NFTA_COUNTER_PACKETS, &none);
                self.add("counter", counter)
            }
            NftStatement::Limit(rate) => self.limit(*rate),
            NftStatement::SetMark { value, mask } => self.set_mark(*value, *mask),
            NftStatement::SetMarkBy { field, map, mask } => self.set_mark_by(*field, map, *mask),
            NftStatement::ClampSegments(size) => self.clamp_segments(*size),
            NftStatement::Untrack => self.add("notrack", Writer::default()),
        }
    }

    fn limit(self, NftRate { amount, of_bytes, burst, over }: NftRate) -> Self {
        let data = Writer::default()
            .put(1, &u64::from(amount).to_be_bytes())
            .put(2, &1u64.to_be_bytes())
            .put_big(3, burst)
            .put_big(4, of_bytes.into())
            .put_big(5, if over { NFT_LIMIT_F_INV } else { 0 });
        self.add("limit", data)
    }

    fn set_mark(self, value: u32, mask: u32) -> Self {
        let changed = Writer::default().put_big(1, REGISTER).put_big(2, REGISTER).put_big(3, 4);
        let changed = changed.nest(4, data(&(!mask).to_ne_bytes())).nest(5, data(&value.to_ne_bytes()));
        let set = Writer::default().put_big(2, NFT_META_MARK).put_big(3, REGISTER);
        self.meta(NFT_META_MARK).add("bitwise", changed).add("meta", set)
    }

    fn clamp_segments(self, size: Option<u16>) -> Self {
        let this = match size {
            Some(size) => self.load(&size.to_be_bytes()),
            None => {
                let load = Writer::default().put_big(1, REGISTER).put_big(2, NFT_RT_TCPMSS);
                let order = Writer::default().put_big(1, REGISTER).put_big(2, REGISTER);
                self.add("rt", load).add("byteorder", order.put_big(3, NFT_BYTEORDER_HTON).put_big(4, 2).put_big(5, 2))
            }
        };
        let (kind, offset, length) = MSS;
        let write = Writer::default().put(2, &[kind]).put_big(3, offset).put_big(4, length);
        this.add("exthdr", write.put_big(6, NFT_EXTHDR_OP_TCPOPT).put_big(7, REGISTER))
    }

    /// Drops the packet and tells its sender.
    pub fn reject(self, rejection: NftRejection) -> Self {
        let (kind, code) = match rejection {
            NftRejection::TcpReset => (TCP_RST, 0),
            NftRejection::PortUnreachable => (ICMPX, 1),
            NftRejection::HostUnreachable => (ICMPX, 2),
            NftRejection::Prohibited => (ICMPX, 3),
        };
        self.add("reject", Writer::default().put_big(1, kind).put(2, &[code]))
    }

    /// Logs packets, so many in a second.
    pub fn log(self, prefix: &str, rate: u32) -> Self {
        let limit = NftRate { amount: rate, of_bytes: false, burst: LOG_BURST, over: false };
        self.limit(limit).add("log", Writer::default().put_text(NFTA_LOG_PREFIX, prefix))
    }
}

/// What the rules of a table have counted that have a counter.
pub(in super::super) fn counters(
    session: &mut Session,
    at: &Namespace,
    table: &str,
) -> Result<HashMap<NftHandle, NftCount>, Error> {
    let mut counts = HashMap::new();
    for message in ask(session, at, "nftables rules", message::list_rules(table))? {
        let Some(place) = chain::place_of_rule(&text(find(&message, message::NFTA_RULE_CHAIN)?)) else { continue };
        let handle = big_long(find(&message, message::NFTA_RULE_HANDLE)?)?;
        let expressions = after(&message.body, message::HEADER)?.find(message::NFTA_RULE_EXPRESSIONS)?;
        if let Some(count) = counted(expressions.unwrap_or_default())? {
            counts.insert(NftHandle { handle, ..place }, count);
        }
    }
    Ok(counts)
}

/// What the first counter among expressions says.
fn counted(expressions: &[u8]) -> Result<Option<NftCount>, Error> {
    for expression in attributes(expressions) {
        let (_, expression) = expression?;
        if attributes(expression).find(NFTA_EXPR_NAME)?.map(text).as_deref() != Some("counter") {
            continue;
        }
        let values = attributes(expression).find(NFTA_EXPR_DATA)?.unwrap_or_default();
        let value = |kind| attributes(values).find(kind)?.map_or(Ok(0), big_long);
        return Ok(Some(NftCount { packets: value(NFTA_COUNTER_PACKETS)?, bytes: value(NFTA_COUNTER_BYTES)? }));
    }
    Ok(None)
}

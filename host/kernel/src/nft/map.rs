//! The messages about a base chain's map: from a protocol and a port to the chain with that port's rules.

use crate::nft::expression::{
    Expressions, NFT_JUMP, NFT_META_L4PROTO, NFT_PAYLOAD_TRANSPORT_HEADER, NFT_REG_VERDICT, NFTA_DATA_VALUE,
    NFTA_DATA_VERDICT, NFTA_LIST_ELEM, NFTA_VERDICT_CHAIN, NFTA_VERDICT_CODE, REGISTER,
};
use crate::nft::{chain, message as m};
use crate::transport::attribute::{Writer, attributes};
use crate::transport::socket::{Request, flag, malformed};
use crate::{Error, NftChain, NftPort};

/// The comment of the rule that looks into the map.
pub(super) const LEADS: &str = "rules for one port";
pub(super) const NFT_SET_MAP: u32 = 8;
pub(in super::super) const NFTA_SET_DATA_TYPE: u16 = 6;
pub(in super::super) const NFTA_SET_DATA_LEN: u16 = 7;
/// NFT_DATA_VERDICT; what is in the data is the kernel's `struct nft_verdict`.
pub(in super::super) const VERDICT: u32 = 0xffff_ff00;
/// How nft prints the keys: its types inet_proto and inet_service, six bits each.
pub(super) const KEY_TYPE: u32 = 12 << 6 | 13;
const KEY_BYTES: u32 = 8;
pub(in super::super) const NFTA_SET_ELEM_DATA: u16 = 2;
/// The second four bytes of what the first register has (NFT_REG32_01).
pub(super) const BEHIND_IT: u32 = 9;
/// Where TCP, UDP and SCTP have the destination's port, and how long it is.
pub(super) const DESTINATION_PORT: (u32, u32) = (2, 2);

/// Makes a map. An error if it is there. `id`: its number in the transaction.
pub(super) fn new(table: &str, chain: NftChain, id: u32) -> Request {
    let body = body(table, chain)
        .put_big(m::NFTA_SET_FLAGS, NFT_SET_MAP)
        .put_big(m::NFTA_SET_KEY_TYPE, KEY_TYPE)
        .put_big(m::NFTA_SET_KEY_LEN, KEY_BYTES)
        .put_big(NFTA_SET_DATA_TYPE, VERDICT)
        .put_big(NFTA_SET_DATA_LEN, 16)
        .put_big(m::NFTA_SET_ID, id);
    m::one(m::NFT_MSG_NEWSET, flag::CREATE | flag::EXCL, body)
}

/// Removes a map.
pub(super) fn delete(table: &str, chain: NftChain) -> Request {
    m::one(m::NFT_MSG_DELSET, 0, body(table, chain))
}

/// Makes the rule that looks into the map, at the end of the base chain, and asks for what it became.
pub(super) fn new_rule(table: &str, chain: NftChain) -> Request {
    let (offset, length) = DESTINATION_PORT;
    let port = Writer::default().put_big(1, BEHIND_IT).put_big(2, NFT_PAYLOAD_TRANSPORT_HEADER);
    let port = port.put_big(3, offset).put_big(4, length);
    let lookup = Writer::default().put_text(1, &chain::map_name(chain)).put_big(2, REGISTER);
    let expressions = Expressions::default()
        .meta(NFT_META_L4PROTO)
        .add("payload", port)
        .add("lookup", lookup.put_big(3, NFT_REG_VERDICT));
    let body = m::rule_body(table, chain)
        .nest(m::NFTA_RULE_EXPRESSIONS, expressions.written)
        .put(m::NFTA_RULE_USERDATA, &m::with_comment(LEADS));
    m::one(m::NFT_MSG_NEWRULE, flag::CREATE | m::NLM_F_APPEND | flag::ECHO, body)
}

/// Whether a rule of this user data is one that looks into a map.
pub(super) fn leads(userdata: &[u8]) -> bool {
    m::comment(userdata) == LEADS
}

/// Leads to the chain of a port. Ok if the map does.
pub(super) fn new_element(table: &str, chain: NftChain, port: NftPort) -> Request {
    let verdict = Writer::default()
        .put_big(NFTA_VERDICT_CODE, NFT_JUMP)
        .put_text(NFTA_VERDICT_CHAIN, &chain::name_of(chain, Some(port)));
    let element = key(port).nest(NFTA_SET_ELEM_DATA, Writer::default().nest(NFTA_DATA_VERDICT, verdict));
    m::one(m::NFT_MSG_NEWSETELEM, flag::CREATE, elements(table, chain, element))
}

/// Leads there no more.
pub(super) fn delete_element(table: &str, chain: NftChain, port: NftPort) -> Request {
    m::one(m::NFT_MSG_DELSETELEM, 0, elements(table, chain, key(port)))
}

fn key(port: NftPort) -> Writer {
    let [high, low] = port.port.to_be_bytes();
    // A register of four bytes for each.
    let bytes = [port.protocol, 0, 0, 0, high, low, 0, 0];
    Writer::default().nest(m::NFTA_SET_ELEM_KEY, Writer::default().put(NFTA_DATA_VALUE, &bytes))
}

/// The port that an element is for.
pub(super) fn port(element: &[u8]) -> Result<NftPort, Error> {
    let key = attributes(element).find(m::NFTA_SET_ELEM_KEY)?.ok_or_else(malformed)?;
    match *attributes(key).find(NFTA_DATA_VALUE)?.ok_or_else(malformed)? {
        [protocol, 0, 0, 0, high, low, ..] => Ok(NftPort { protocol, port: u16::from_be_bytes([high, low]) }),
        _ => Err(malformed()),
    }
}

fn elements(table: &str, chain: NftChain, element: Writer) -> Writer {
    body(table, chain).nest(m::NFTA_SET_ELEM_LIST_ELEMENTS, Writer::default().nest(NFTA_LIST_ELEM, element))
}

/// Asks for all sets and maps of a table.
pub(super) fn list(table: &str) -> Request {
    m::all(m::NFT_MSG_GETSET, m::of(table).put_text(m::NFTA_SET_TABLE, table))
}

fn body(table: &str, chain: NftChain) -> Writer {
    m::of(table).put_text(m::NFTA_SET_TABLE, table).put_text(m::NFTA_SET_NAME, &chain::map_name(chain))
}

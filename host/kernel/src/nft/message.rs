//! The messages of nftables: batches, tables, chains and rules (linux/netfilter/nf_tables.h, nfnetlink.h).

use crate::nft::ports::Ports;
use crate::nft::{NFPROTO_BRIDGE, NFPROTO_INET, chain, expression};
use crate::transport::attribute::Writer;
use crate::transport::socket::{Request, flag};
use crate::{Error, FRAMES, NftChain, NftHandle, NftOwnChain, NftPort, NftRule};

/// `struct nfgenmsg`.
pub(in super::super) const HEADER: usize = 4;
pub(in super::super) const NFTA_TABLE_NAME: u16 = 1;
pub(in super::super) const NFTA_TABLE_USE: u16 = 3;
pub(in super::super) const NFTA_CHAIN_USE: u16 = 6;
pub(in super::super) const NFTA_RULE_CHAIN: u16 = 2;
pub(in super::super) const NFTA_RULE_HANDLE: u16 = 3;
pub(in super::super) const NFTA_RULE_USERDATA: u16 = 7;
pub(in super::super) const NFTA_GEN_ID: u16 = 1;

/// NFNL_SUBSYS_NFTABLES, the high byte of every message type here.
pub(in super::super) const NFT_SUBSYSTEM: u16 = 10;
pub(in super::super) const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
pub(in super::super) const NFNL_MSG_BATCH_END: u16 = 0x11;
pub(in super::super) const NFNL_BATCH_GENID: u16 = 1;
pub(in super::super) const NFT_MSG_NEWTABLE: u16 = 0;
pub(in super::super) const NFT_MSG_GETTABLE: u16 = 1;
pub(in super::super) const NFT_MSG_DELTABLE: u16 = 2;
pub(in super::super) const NFT_MSG_NEWCHAIN: u16 = 3;
pub(in super::super) const NFT_MSG_GETCHAIN: u16 = 4;
pub(in super::super) const NFT_MSG_DELCHAIN: u16 = 5;
pub(in super::super) const NFT_MSG_NEWRULE: u16 = 6;
pub(in super::super) const NFT_MSG_GETRULE: u16 = 7;
pub(in super::super) const NFT_MSG_DELRULE: u16 = 8;
/// Ends the notifications of a transaction.
pub(in super::super) const NFT_MSG_NEWGEN: u16 = 15;
pub(in super::super) const NFT_MSG_GETGEN: u16 = 16;
pub(in super::super) const NFT_MSG_NEWSET: u16 = 9;
pub(in super::super) const NFT_MSG_GETSET: u16 = 10;
pub(in super::super) const NFT_MSG_DELSET: u16 = 11;
pub(in super::super) const NFT_MSG_NEWSETELEM: u16 = 12;
pub(in super::super) const NFT_MSG_GETSETELEM: u16 = 13;
pub(in super::super) const NFT_MSG_DELSETELEM: u16 = 14;
/// Of a list of elements, too.
pub(in super::super) const NFTA_SET_TABLE: u16 = 1;
pub(in super::super) const NFTA_SET_NAME: u16 = 2;
pub(in super::super) const NFTA_SET_FLAGS: u16 = 3;
pub(super) const NFTA_SET_KEY_TYPE: u16 = 4;
pub(in super::super) const NFTA_SET_KEY_LEN: u16 = 5;
pub(super) const NFTA_SET_DESC: u16 = 9;
pub(super) const NFTA_SET_ID: u16 = 10;
pub(super) const NFTA_SET_TIMEOUT: u16 = 11;
pub(super) const NFTA_SET_USERDATA: u16 = 13;
pub(super) const NFTA_SET_DESC_SIZE: u16 = 1;
pub(in super::super) const NFTA_SET_ELEM_KEY: u16 = 1;
pub(in super::super) const NFTA_SET_ELEM_LIST_ELEMENTS: u16 = 3;
pub(in super::super) const NFTA_SET_ELEM_LIST_SET_ID: u16 = 4;
pub(in super::super) const NFT_SET_ANONYMOUS: u32 = 1;
const NFT_SET_CONSTANT: u32 = 2;
/// What nft itself needs to print a set's elements: their type, and NFTNL_UDATA_SET_KEYBYTEORDER.
pub(super) const TYPE_IFINDEX: u32 = 20;
const KEY_BYTE_ORDER: u8 = 0;
const HOST_ORDER: u8 = 1;
pub(in super::super) const NFTA_CHAIN_TABLE: u16 = 1;
pub(in super::super) const NFTA_CHAIN_NAME: u16 = 3;
pub(in super::super) const NFTA_CHAIN_HOOK: u16 = 4;
pub(in super::super) const NFTA_CHAIN_POLICY: u16 = 5;
pub(in super::super) const NFTA_CHAIN_TYPE: u16 = 7;
pub(in super::super) const NFTA_HOOK_HOOKNUM: u16 = 1;
pub(in super::super) const NFTA_HOOK_PRIORITY: u16 = 2;
pub(in super::super) const NFTA_RULE_TABLE: u16 = 1;
pub(in super::super) const NFTA_RULE_EXPRESSIONS: u16 = 4;
pub(in super::super) const NF_ACCEPT: u32 = 1;
pub(super) const NLM_F_APPEND: u16 = 0x800;
/// NFTNL_UDATA_RULE_COMMENT: a type and a length of one byte each before the value.
const COMMENT: u8 = 0;
/// The protocol and the ports that a rule is for: one more value, which nft passes over.
const PORTS: u8 = 100;
/// What the interface promises; libnftnl takes at most 255 with the NUL.
const COMMENT_BYTES: usize = 128;

/// Starts a transaction; with a generation it fails (ERESTART) if anything has changed since.
pub(super) fn begin(generation: Option<u32>) -> Request {
    let body = batch_header();
    let body = match generation {
        Some(generation) => body.put_big(NFNL_BATCH_GENID, generation),
        None => body,
    };
    Request { kind: NFNL_MSG_BATCH_BEGIN, flags: flag::REQUEST, body: body.finish() }
}

/// Ends a transaction.
pub(super) fn end() -> Request {
    Request { kind: NFNL_MSG_BATCH_END, flags: flag::REQUEST, body: batch_header().finish() }
}

fn batch_header() -> Writer {
    let [high, low] = NFT_SUBSYSTEM.to_be_bytes();
    Writer::after(&[0, 0, high, low])
}

pub(super) fn inet() -> Writer {
    Writer::after(&[NFPROTO_INET, 0, 0, 0])
}

fn bridge() -> Writer {
    Writer::after(&[NFPROTO_BRIDGE, 0, 0, 0])
}

/// Of the family that a table has by its name.
pub(super) fn of(table: &str) -> Writer {
    if table.ends_with(FRAMES) { bridge() } else { inet() }
}

/// A change, or a question about one object.
pub(super) fn one(kind: u16, flags: u16, body: Writer) -> Request {
    let kind = NFT_SUBSYSTEM << 8 | kind;
    Request { kind, flags: flag::REQUEST | flag::ACK | flags, body: body.finish() }
}

/// A question about all objects.
pub(super) fn all(kind: u16, body: Writer) -> Request {
    let kind = NFT_SUBSYSTEM << 8 | kind;
    Request { kind, flags: flag::REQUEST | flag::DUMP, body: body.finish() }
}

/// Makes a table. Ok if it is there.
pub(super) fn new_table(table: &str) -> Request {
    one(NFT_MSG_NEWTABLE, flag::CREATE, of(table).put_text(NFTA_TABLE_NAME, table))
}

/// Removes a table with all in it.
pub(super) fn delete_table(table: &str) -> Request {
    one(NFT_MSG_DELTABLE, 0, of(table).put_text(NFTA_TABLE_NAME, table))
}

/// Removes a table in which there is nothing.
pub(super) fn delete_empty_table(table: &str) -> Request {
    one(NFT_MSG_DELTABLE, flag::NOT_RECURSIVE, of(table).put_text(NFTA_TABLE_NAME, table))
}

/// Asks for a table.
pub(super) fn get_table(table: &str) -> Request {
    one(NFT_MSG_GETTABLE, 0, of(table).put_text(NFTA_TABLE_NAME, table))
}

/// Asks for all tables of family inet, and of family bridge.
pub(super) fn list_tables() -> [Request; 2] {
    [inet(), bridge()].map(|family| all(NFT_MSG_GETTABLE, family))
}

/// Asks for all chains of all families.
pub(super) fn list_chains() -> Request {
    all(NFT_MSG_GETCHAIN, Writer::after(&[0; HEADER]))
}

/// Asks for all chains of family inet.
pub(super) fn list_inet_chains() -> Request {
    all(NFT_MSG_GETCHAIN, inet())
}

/// Asks for the generation, which every change of the namespace's rules raises.
pub(in super::super) fn get_generation() -> Request {
    one(NFT_MSG_GETGEN, 0, inet())
}

/// Makes a base chain with policy accept. Ok if it is there.
pub(super) fn new_chain(table: &str, chain: NftChain) -> Request {
    let hook = Writer::default()
        .put_big(NFTA_HOOK_HOOKNUM, chain::hook_number(chain.hook))
        .put(NFTA_HOOK_PRIORITY, &chain.priority.to_be_bytes());
    let body = chain_body(table, chain, None)
        .nest(NFTA_CHAIN_HOOK, hook)
        .put_big(NFTA_CHAIN_POLICY, NF_ACCEPT)
        .put_text(NFTA_CHAIN_TYPE, chain::kind(chain));
    one(NFT_MSG_NEWCHAIN, flag::CREATE, body)
}

/// Makes the chain of a port. Ok if it is there.
pub(super) fn new_port_chain(table: &str, chain: NftChain, port: NftPort) -> Request {
    one(NFT_MSG_NEWCHAIN, flag::CREATE, chain_body(table, chain, Some(port)))
}

/// Makes an own chain. An error if it is there.
pub(super) fn new_own_chain(table: &str, chain: &NftOwnChain) -> Request {
    one(NFT_MSG_NEWCHAIN, flag::CREATE | flag::EXCL, own_chain_body(table, chain))
}

/// Removes an own chain in which no rule is, and that none leads to.
pub(super) fn delete_own_chain(table: &str, chain: &NftOwnChain) -> Request {
    one(NFT_MSG_DELCHAIN, flag::NOT_RECURSIVE, own_chain_body(table, chain))
}

fn own_chain_body(table: &str, NftOwnChain { base, name }: &NftOwnChain) -> Writer {
    of(table).put_text(NFTA_CHAIN_TABLE, table).put_text(NFTA_CHAIN_NAME, &chain::own_name(*base, name))
}

/// Removes an empty chain that nothing leads to.
pub(super) fn delete_chain(table: &str, chain: NftChain, port: Option<NftPort>) -> Request {
    one(NFT_MSG_DELCHAIN, flag::NOT_RECURSIVE, chain_body(table, chain, port))
}

fn chain_body(table: &str, chain: NftChain, port: Option<NftPort>) -> Writer {
    of(table).put_text(NFTA_CHAIN_TABLE, table).put_text(NFTA_CHAIN_NAME, &chain::name_of(chain, port))
}

/// Makes an anonymous set of links, which goes with the rule that looks into it.
pub(super) fn new_set(table: &str, id: u32, links: &[u32]) -> [Request; 2] {
    let body = || of(table).put_text(NFTA_SET_TABLE, table).put_text(NFTA_SET_NAME, expression::SET);
    let size = Writer::default().put_big(NFTA_SET_DESC_SIZE, u32::try_from(links.len()).unwrap_or(u32::MAX));
    let set = body()
        .put_big(NFTA_SET_FLAGS, NFT_SET_ANONYMOUS | NFT_SET_CONSTANT)
        .put_big(NFTA_SET_KEY_TYPE, TYPE_IFINDEX)
        .put_big(NFTA_SET_KEY_LEN, 4)
        .nest(NFTA_SET_DESC, size)
        .put_big(NFTA_SET_ID, id)
        .put(NFTA_SET_USERDATA, &[KEY_BYTE_ORDER, 4, HOST_ORDER, 0, 0, 0]);
    let element = |list: Writer, link: &u32| {
        let value = Writer::default().put(expression::NFTA_DATA_VALUE, &link.to_ne_bytes());
        list.nest(expression::NFTA_LIST_ELEM, Writer::default().nest(NFTA_SET_ELEM_KEY, value))
    };
    let elements = links.iter().fold(Writer::default(), element);
    let elements = body().nest(NFTA_SET_ELEM_LIST_ELEMENTS, elements).put_big(NFTA_SET_ELEM_LIST_SET_ID, id);
    [one(NFT_MSG_NEWSET, flag::CREATE, set), one(NFT_MSG_NEWSETELEM, flag::CREATE, elements)]
}

/// Makes a rule at the end of its chain, or of its port's, and asks for what it became. Its sets come before it in the transaction, numbered
/// from `first_set` on.
pub(super) fn new_rule(table: &str, rule: &NftRule, port: Option<NftPort>, first_set: u32) -> Result<Request, Error> {
    if rule.comment.len() > COMMENT_BYTES {
        return Err(Error::refused(format!("a rule's comment has at most {COMMENT_BYTES} bytes: {:?}", rule.comment)));
    }
    let mut userdata = with_comment(&rule.comment);
    if port.is_none()
        && rule.own.is_none()
        && let Some(ports) = Ports::of(rule)
    {
        userdata.extend([PORTS, 5, ports.protocol]);
        userdata.extend([ports.first.to_be_bytes(), ports.last.to_be_bytes()].concat());
    }
    let body = body_in(table, &chain::name_of_place(rule.chain, port, rule.own.as_deref()))
        .nest(NFTA_RULE_EXPRESSIONS, expression::list(rule, table.ends_with(FRAMES), first_set))
        .put(NFTA_RULE_USERDATA, &userdata);
    Ok(one(NFT_MSG_NEWRULE, flag::CREATE | NLM_F_APPEND | flag::ECHO, body))
}

/// User data that is a comment.
pub(super) fn with_comment(comment: &str) -> Vec<u8> {
    let comment = [comment.as_bytes(), &[0]].concat();
    [&[COMMENT, comment.len() as u8], comment.as_slice()].concat()
}

/// Removes a rule.
pub(super) fn delete_rule(table: &str, rule: &NftHandle) -> Request {
    one(NFT_MSG_DELRULE, 0, handle_body(table, rule))
}

fn handle_body(table: &str, rule: &NftHandle) -> Writer {
    body_in(table, &chain::name_of_place(rule.chain, rule.port, rule.own.as_deref()))
        .put(NFTA_RULE_HANDLE, &rule.handle.to_be_bytes())
}

/// Asks for all rules of all families.
pub(super) fn list_all_rules() -> Request {
    all(NFT_MSG_GETRULE, Writer::after(&[0; HEADER]))
}

/// Asks for all that is in a set or a map. `family`: the header with the table's.
pub(super) fn list_elements(family: Writer, table: &str, set: &str) -> Request {
    all(NFT_MSG_GETSETELEM, family.put_text(NFTA_SET_TABLE, table).put_text(NFTA_SET_NAME, set))
}

/// Asks for all rules of a table.
pub(super) fn list_rules(table: &str) -> Request {
    all(NFT_MSG_GETRULE, of(table).put_text(NFTA_RULE_TABLE, table))
}

/// Asks for all rules of all tables of family inet, and of family bridge.
pub(super) fn list_rules_of_families() -> [Request; 2] {
    [inet(), bridge()].map(|family| all(NFT_MSG_GETRULE, family))
}

pub(super) fn rule_body(table: &str, chain: NftChain) -> Writer {
    body_in(table, &chain::name(chain))
}

fn body_in(table: &str, chain: &str) -> Writer {
    of(table).put_text(NFTA_RULE_TABLE, table).put_text(NFTA_RULE_CHAIN, chain)
}

/// The comment in a rule's user data.
pub(in super::super) fn comment(userdata: &[u8]) -> String {
    value_of(userdata, COMMENT).map(super::text).unwrap_or_default()
}

/// The ports in a rule's user data.
pub(super) fn ports(userdata: &[u8]) -> Option<Ports> {
    let &[protocol, a, b, c, d] = value_of(userdata, PORTS)? else { return None };
    Some(Ports { protocol, first: u16::from_be_bytes([a, b]), last: u16::from_be_bytes([c, d]) })
}

fn value_of(mut userdata: &[u8], wanted: u8) -> Option<&[u8]> {
    while let [kind, length, rest @ ..] = userdata {
        let (value, others) = rest.split_at(usize::from(*length).min(rest.len()));
        if *kind == wanted {
            return Some(value);
        }
        userdata = others;
    }
    None
}

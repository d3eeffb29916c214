//! What a bridge's port in hairpin mode must not give back: broadcasts to whoever sent them.
//!
//! A table of family bridge, for all ports of this instance. Where a broadcast comes in, the port is noted in a set as a pair with itself; what
//! leaves by such a pair of ports is dropped. So no port has to be told of, and none is forgotten.

use rustix::io::Errno;

use crate::nft::expression::{Expressions, NFT_META_IIF, NFT_META_IIFGROUP, NFT_META_OIF, Test};
use crate::nft::{NFPROTO_BRIDGE, first_refusal, list, message as m, transaction};
use crate::transport::attribute::Writer;
use crate::transport::session::Session;
use crate::transport::socket::{Request, flag};
use crate::{Error, Namespace};

const SET: &str = "heard";
/// NFT_SET_TIMEOUT and NFT_SET_EVAL.
const FLAGS: u32 = 0x10 | 0x20;
/// How long a port is known after its last broadcast, in milliseconds. The kernel forgets links that are gone, too.
const KNOWN: u64 = 600_000;
const MOST_PORTS: u32 = 65_535;
/// The second four bytes of what the first register has (NFT_REG32_01).
const FIRST: u32 = 1;
const BEHIND_IT: u32 = 9;
const NFT_META_PKTTYPE: u32 = 19;
/// PACKET_BROADCAST and PACKET_MULTICAST.
const TO_MANY: (u8, u8) = (1, 2);
const NFT_DYNSET_OP_UPDATE: u32 = 1;
/// Base chains: name, NF_BR_PRE_ROUTING or NF_BR_FORWARD, and a priority before br_netfilter's.
const COMES_IN: (&str, u32, i32) = ("prerouting", 0, -300);
const LEAVES: (&str, u32, i32) = ("forward", 2, -200);
const RULES: usize = 2;

/// Makes the table if it is not whole, or removes it. Ok on a kernel that has no nftables for bridges.
pub(in super::super) fn keep_echoes_out(
    session: &mut Session,
    at: &Namespace,
    table: &str,
    group: u32,
    wanted: bool,
) -> Result<(), Error> {
    let rules = m::all(m::NFT_MSG_GETRULE, bridge().put_text(m::NFTA_RULE_TABLE, table));
    let there = list(session, at, "nftables rules of bridges", rules)?.len();
    if there == if wanted { RULES } else { 0 } {
        return Ok(());
    }
    let removed = || m::one(m::NFT_MSG_DELTABLE, 0, bridge().put_text(m::NFTA_TABLE_NAME, table));
    let batch = if wanted { whole(table, group, removed()) } else { vec![removed()] };
    match first_refusal(&transaction(session, at, batch, None)?) {
        Some((_, refusal)) if !refusal.is(&[Errno::OPNOTSUPP, Errno::AFNOSUPPORT, Errno::NOENT]) => {
            Err(Error::kernel("the table for bridges", refusal))
        }
        _ => Ok(()),
    }
}

/// The table anew.
fn whole(table: &str, group: u32, removed: Request) -> Vec<Request> {
    let made = || m::one(m::NFT_MSG_NEWTABLE, flag::CREATE, bridge().put_text(m::NFTA_TABLE_NAME, table));
    let to_many = || {
        let kind = Expressions::default().meta(NFT_META_PKTTYPE);
        kind.compare(Test::AtLeast, &[TO_MANY.0]).compare(Test::AtMost, &[TO_MANY.1])
    };
    let note = Writer::default().put_text(1, SET).put_big(3, NFT_DYNSET_OP_UPDATE).put_big(4, FIRST);
    let noted = to_many().meta(NFT_META_IIFGROUP).compare(Test::Equal, &group.to_ne_bytes());
    let noted = pair(noted, NFT_META_IIF).add("dynset", note);
    let looked_up = Writer::default().put_text(1, SET).put_big(2, FIRST);
    let dropped = pair(to_many(), NFT_META_OIF).add("lookup", looked_up).code(0);
    vec![
        made(),
        removed,
        made(),
        set(table),
        chain(table, COMES_IN),
        chain(table, LEAVES),
        rule(table, COMES_IN.0, noted),
        rule(table, LEAVES.0, dropped),
    ]
}

/// The link that it came in by, and another or the same.
fn pair(before: Expressions, second: u32) -> Expressions {
    before.meta(NFT_META_IIF).add("meta", Writer::default().put_big(1, BEHIND_IT).put_big(2, second))
}

fn set(table: &str) -> Request {
    let body = bridge()
        .put_text(m::NFTA_SET_TABLE, table)
        .put_text(m::NFTA_SET_NAME, SET)
        .put_big(m::NFTA_SET_FLAGS, FLAGS)
        // As nft itself writes it: six bits for each type.
        .put_big(m::NFTA_SET_KEY_TYPE, m::TYPE_IFINDEX << 6 | m::TYPE_IFINDEX)
        .put_big(m::NFTA_SET_KEY_LEN, 8)
        .nest(m::NFTA_SET_DESC, Writer::default().put_big(m::NFTA_SET_DESC_SIZE, MOST_PORTS))
        .put_big(m::NFTA_SET_ID, 1)
        .put(m::NFTA_SET_TIMEOUT, &KNOWN.to_be_bytes());
    m::one(m::NFT_MSG_NEWSET, flag::CREATE, body)
}

fn chain(table: &str, (name, hook, priority): (&str, u32, i32)) -> Request {
    let hook =
        Writer::default().put_big(m::NFTA_HOOK_HOOKNUM, hook).put(m::NFTA_HOOK_PRIORITY, &priority.to_be_bytes());
    let body = bridge()
        .put_text(m::NFTA_CHAIN_TABLE, table)
        .put_text(m::NFTA_CHAIN_NAME, name)
        .nest(m::NFTA_CHAIN_HOOK, hook)
        .put_big(m::NFTA_CHAIN_POLICY, m::NF_ACCEPT)
        .put_text(m::NFTA_CHAIN_TYPE, "filter");
    m::one(m::NFT_MSG_NEWCHAIN, flag::CREATE, body)
}

fn rule(table: &str, chain: &str, expressions: Expressions) -> Request {
    let body = bridge()
        .put_text(m::NFTA_RULE_TABLE, table)
        .put_text(m::NFTA_RULE_CHAIN, chain)
        .nest(m::NFTA_RULE_EXPRESSIONS, expressions.written);
    m::one(m::NFT_MSG_NEWRULE, flag::CREATE | m::NLM_F_APPEND, body)
}

fn bridge() -> Writer {
    Writer::after(&[NFPROTO_BRIDGE, 0, 0, 0])
}

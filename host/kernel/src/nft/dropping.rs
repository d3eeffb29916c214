//! Which base chains drop what is forwarded: by their policy, or by a rule.
//!
//! A packet is followed that begins a connection from a container: it comes in by a bridge that no rule names, and nothing has translated its
//! destination. A rule is certain if all that it tests is known of that packet; others may or may not hold, and are passed over.

use std::collections::{BTreeMap, BTreeSet};

use crate::nft::expression::{
    NF_ACCEPT, NFT_CT_STATE, NFT_CT_STATUS, NFT_GOTO, NFT_JUMP, NFT_META_IIF, NFT_META_IIFNAME, NFT_META_NFPROTO,
    NFT_RETURN, NFTA_CMP_DATA, NFTA_CMP_OP, NFTA_DATA_VALUE, NFTA_DATA_VERDICT, NFTA_EXPR_DATA, NFTA_EXPR_NAME,
    NFTA_IMMEDIATE_DATA, NFTA_VERDICT_CHAIN, NFTA_VERDICT_CODE, Test,
};
use crate::nft::{NF_DROP, NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6, chain, find, list, message};
use crate::transport::attribute::{after, attributes, big_long, big_number, number, text};
use crate::transport::session::Session;
use crate::transport::socket::Message;
use crate::{DroppingChain, Error, Namespace, NftHook};

/// Of meta, ct, payload and fib: what is loaded. Where there is no register to load it into, something is set.
const NFTA_LOAD_REGISTER: u16 = 1;
const NFTA_LOAD_KEY: u16 = 2;
const NFTA_BITWISE_MASK: u16 = 4;
const NFTA_XT_NAME: u16 = 1;
/// NF_CT_STATE_BIT(IP_CT_NEW).
const NEW: u32 = 1 << 3;
/// How a bridge may be called that no rule names: rules for `br-*` hold for it.
const BRIDGE: &str = "br-000000000000";
/// The kernel's own limit of jumps within jumps.
const JUMPS: usize = 16;

/// What is certain of a packet and a chain or a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Accept,
    /// By a rule of this chain.
    Drop(String),
    /// It leaves the chain at its end.
    Pass,
    Jump(String),
    Goto(String),
}

/// A rule that certainly holds for packets of a family.
#[derive(Clone)]
struct Rule {
    chain: String,
    verdict: Verdict,
    ipv4: bool,
    ipv6: bool,
}

/// Where rules are: a family, and a table's name.
type Table = (u8, String);

/// The base chains that drop what a link that they have no rule for begins to send by another one.
pub(in super::super) fn dropping(session: &mut Session, at: &Namespace) -> Result<Vec<DroppingChain>, Error> {
    let chains = list(session, at, "nftables chains", message::list_chains())?;
    let mut bases = Vec::new();
    for message in &chains {
        let (Some(family), Some(policy)) = (family(message), forward_policy(message)?) else { continue };
        let name = |attribute| find(message, attribute).map(text);
        bases.push((family, name(message::NFTA_CHAIN_TABLE)?, name(message::NFTA_CHAIN_NAME)?, policy));
    }
    let mut rules: BTreeMap<Table, Vec<Rule>> = BTreeMap::new();
    if !bases.is_empty() {
        for message in list(session, at, "nftables rules", message::list_all_rules())? {
            let table =
                (message.body.first().copied().unwrap_or_default(), text(find(&message, message::NFTA_RULE_TABLE)?));
            rules.entry(table).or_default().extend(rule(&message)?);
        }
    }
    let mut found = Vec::new();
    for (family, table, chain, policy) in bases {
        let of_table = rules.get(&(message_family(family), table.clone())).map(Vec::as_slice).unwrap_or_default();
        let seen = |is_ipv6| Walk { rules: of_table, is_ipv6, known: BTreeMap::new() }.chain(&chain, 0);
        let families = match family {
            "ip" => vec![seen(false)],
            "ip6" => vec![seen(true)],
            _ => vec![seen(false), seen(true)],
        };
        let by_rule = families.iter().find_map(|verdict| match verdict {
            Verdict::Drop(chain) => Some(chain.clone()),
            _ => None,
        });
        let by_policy = policy == NF_DROP && families.contains(&Verdict::Pass);
        if by_rule.is_some() || by_policy {
            found.push(DroppingChain { chain: format!("{family} {table} {chain}"), rule_in: by_rule });
        }
    }
    Ok(found)
}

/// The handles of a table's rules that end in a drop what a container begins: themselves, or where they lead.
pub(super) fn refusing(listed: &[Message], is_ipv6: bool) -> Result<BTreeSet<u64>, Error> {
    let rules: Vec<Option<Rule>> = listed.iter().map(rule).collect::<Result<_, _>>()?;
    let known: Vec<Rule> = rules.iter().flatten().cloned().collect();
    let mut walk = Walk { rules: &known, is_ipv6, known: BTreeMap::new() };
    let mut found = BTreeSet::new();
    for (message, rule) in listed.iter().zip(&rules) {
        let Some(rule) = rule.as_ref().filter(|rule| if is_ipv6 { rule.ipv6 } else { rule.ipv4 }) else { continue };
        let ends = match &rule.verdict {
            Verdict::Jump(to) | Verdict::Goto(to) => walk.chain(to, 0),
            verdict => verdict.clone(),
        };
        if matches!(ends, Verdict::Drop(_)) {
            found.insert(big_long(find(message, message::NFTA_RULE_HANDLE)?)?);
        }
    }
    Ok(found)
}

/// The family of a message as nft has it; the others see no packets that are routed.
fn family(message: &Message) -> Option<&'static str> {
    match message.body.first() {
        Some(&NFPROTO_INET) => Some("inet"),
        Some(&NFPROTO_IPV4) => Some("ip"),
        Some(&NFPROTO_IPV6) => Some("ip6"),
        _ => None,
    }
}

fn message_family(family: &str) -> u8 {
    match family {
        "ip" => NFPROTO_IPV4,
        "ip6" => NFPROTO_IPV6,
        _ => NFPROTO_INET,
    }
}

/// The policy of a base chain at the hook forward.
fn forward_policy(message: &Message) -> Result<Option<u32>, Error> {
    let chain = |attribute| after(&message.body, message::HEADER)?.find(attribute);
    let (Some(hook), Some(policy)) = (chain(message::NFTA_CHAIN_HOOK)?, chain(message::NFTA_CHAIN_POLICY)?) else {
        return Ok(None);
    };
    let hook = attributes(hook).find(message::NFTA_HOOK_HOOKNUM)?.map(big_number).transpose()?;
    if hook == Some(chain::hook_number(NftHook::Forward)) { big_number(policy).map(Some) } else { Ok(None) }
}

/// The way of a packet through the chains of a table.
struct Walk<'a> {
    rules: &'a [Rule],
    is_ipv6: bool,
    /// Chains that were walked: each once, however many jumps lead to it.
    known: BTreeMap<&'a str, Verdict>,
}

impl<'a> Walk<'a> {
    fn chain(&mut self, chain: &str, jumps: usize) -> Verdict {
        let (rules, is_ipv6) = (self.rules, self.is_ipv6);
        let held = |rule: &&Rule| rule.chain == chain && if is_ipv6 { rule.ipv6 } else { rule.ipv4 };
        for rule in rules.iter().filter(held) {
            let (to, comes_back) = match &rule.verdict {
                Verdict::Jump(to) => (to, true),
                Verdict::Goto(to) => (to, false),
                verdict => return verdict.clone(),
            };
            let verdict = self.jump(to, jumps);
            if verdict != Verdict::Pass || !comes_back {
                return verdict;
            }
        }
        Verdict::Pass
    }

    fn jump(&mut self, to: &'a str, jumps: usize) -> Verdict {
        if let Some(verdict) = self.known.get(to) {
            return verdict.clone();
        }
        let verdict = if jumps < JUMPS { self.chain(to, jumps + 1) } else { Verdict::Pass };
        self.known.insert(to, verdict.clone());
        verdict
    }
}

/// What is known of the value that the next comparison looks at.
#[derive(Clone, Copy)]
enum Loaded {
    /// Bits, of which these are looked at.
    Bits(u32, u32),
    /// The family.
    Family,
    /// The index of the link that it came by.
    Link,
    /// The name of that.
    LinkName,
    Unknown,
}

/// Whether a test holds, for IPv4 and for IPv6; none: perhaps.
type Holds = [Option<bool>; 2];

/// The rule, if it is certain for a packet of either family and ends something.
fn rule(message: &Message) -> Result<Option<Rule>, Error> {
    let chain = text(find(message, message::NFTA_RULE_CHAIN)?);
    let expressions = after(&message.body, message::HEADER)?.find(message::NFTA_RULE_EXPRESSIONS)?;
    let (mut loaded, mut certain, mut verdict) = (Loaded::Unknown, [true; 2], None);
    // An expression of a shape that isn't known here may hold or not.
    for (_, expression) in attributes(expressions.unwrap_or_default()).flatten() {
        let value = |kind| attributes(expression).find(kind).ok().flatten().unwrap_or_default();
        let (name, data) = (text(value(NFTA_EXPR_NAME)), value(NFTA_EXPR_DATA));
        let holds: Holds = match name.as_str() {
            "counter" | "log" | "notrack" | "flow_offload" => [Some(true); 2],
            "match" if field(data, NFTA_XT_NAME).map(text).as_deref() == Some("comment") => [Some(true); 2],
            "meta" | "ct" => {
                loaded = load(&name, data);
                [Some(true); 2]
            }
            "payload" | "fib" | "rt" | "socket" | "exthdr" => {
                loaded = Loaded::Unknown;
                [Some(true); 2]
            }
            "bitwise" => {
                loaded = masked(loaded, data);
                [Some(true); 2]
            }
            "cmp" => compared(loaded, data),
            "reject" => {
                verdict = Some(Verdict::Drop(chain.clone()));
                [Some(true); 2]
            }
            "immediate" => {
                verdict = immediate(data, &chain).or(verdict);
                [Some(true); 2]
            }
            "target" => {
                let target = field(data, NFTA_XT_NAME).map(text).unwrap_or_default();
                verdict = matches!(target.as_str(), "REJECT" | "DROP").then(|| Verdict::Drop(chain.clone()));
                [Some(true); 2]
            }
            _ => [None; 2],
        };
        for (certain, holds) in certain.iter_mut().zip(holds) {
            *certain &= holds == Some(true);
        }
    }
    let [ipv4, ipv6] = certain;
    Ok(verdict.filter(|_| ipv4 || ipv6).map(|verdict| Rule { chain, verdict, ipv4, ipv6 }))
}

fn field(data: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(data).find(kind).ok().flatten()
}

fn load(name: &str, data: &[u8]) -> Loaded {
    let key = field(data, NFTA_LOAD_KEY).and_then(|key| big_number(key).ok());
    match (name, key) {
        _ if field(data, NFTA_LOAD_REGISTER).is_none() => Loaded::Unknown,
        ("ct", Some(NFT_CT_STATE)) => Loaded::Bits(NEW, u32::MAX),
        // Nothing of it is decided yet.
        ("ct", Some(NFT_CT_STATUS)) => Loaded::Bits(0, u32::MAX),
        ("meta", Some(NFT_META_NFPROTO)) => Loaded::Family,
        ("meta", Some(NFT_META_IIF)) => Loaded::Link,
        ("meta", Some(NFT_META_IIFNAME)) => Loaded::LinkName,
        _ => Loaded::Unknown,
    }
}

fn masked(loaded: Loaded, data: &[u8]) -> Loaded {
    let mask =
        field(data, NFTA_BITWISE_MASK).and_then(|mask| field(mask, NFTA_DATA_VALUE)).and_then(|m| number(m).ok());
    match (loaded, mask) {
        (Loaded::Bits(bits, _), Some(mask)) => Loaded::Bits(bits, mask),
        _ => Loaded::Unknown,
    }
}

fn compared(loaded: Loaded, data: &[u8]) -> Holds {
    let test = field(data, NFTA_CMP_OP).and_then(|test| big_number(test).ok());
    let Some(value) = field(data, NFTA_CMP_DATA).and_then(|value| field(value, NFTA_DATA_VALUE)) else {
        return [None; 2];
    };
    let equal = match loaded {
        Loaded::Bits(bits, mask) => [number(value).ok().map(|value| bits & mask == value); 2],
        Loaded::Family => [NFPROTO_IPV4, NFPROTO_IPV6].map(|family| Some(value == [family])),
        Loaded::Link => [Some(false); 2],
        // A whole name has its NUL, and `br-*` has none.
        Loaded::LinkName => [Some(BRIDGE.as_bytes().starts_with(value)); 2],
        Loaded::Unknown => [None; 2],
    };
    match test {
        Some(test) if test == Test::Equal as u32 => equal,
        Some(test) if test == Test::Unequal as u32 => equal.map(|equal| equal.map(|equal| !equal)),
        _ => [None; 2],
    }
}

/// What a rule ends with; none: it loads a value.
fn immediate(data: &[u8], chain: &str) -> Option<Verdict> {
    let verdict = field(field(data, NFTA_IMMEDIATE_DATA)?, NFTA_DATA_VERDICT)?;
    let to = || field(verdict, NFTA_VERDICT_CHAIN).map(text).unwrap_or_default();
    match big_number(field(verdict, NFTA_VERDICT_CODE)?).ok()? {
        NF_DROP => Some(Verdict::Drop(chain.to_owned())),
        NF_ACCEPT => Some(Verdict::Accept),
        NFT_JUMP => Some(Verdict::Jump(to())),
        NFT_GOTO => Some(Verdict::Goto(to())),
        NFT_RETURN => Some(Verdict::Pass),
        // To a program, which decides.
        _ => Some(Verdict::Accept),
    }
}

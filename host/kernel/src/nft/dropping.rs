//! Which base chains certainly drop a packet: by their policy, or by a rule.
//!
//! A rule holds for certain, perhaps, or not ([`super::followed`]). A chain is walked with all that may become of the packet.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::nft::followed::{Members, Rule, Verdict, rule};
use crate::nft::{NF_DROP, NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6, chain, find, list, message};
use crate::transport::attribute::{Writer, after, attributes, big_long, big_number, text};
use crate::transport::session::Session;
use crate::transport::socket::Message;
use crate::{DroppingChain, Error, Namespace, NftHook, Packet};

/// The kernel's own limit of jumps within jumps.
const JUMPS: usize = 16;
/// Sets are looked into up to this many, and with this many elements each: beyond it a test holds perhaps.
const SETS: usize = 256;
const ELEMENTS: usize = 4096;

/// Where rules are: a family, and a table's name.
type Table = (u8, String);

/// The base chains that certainly drop a packet.
pub(in super::super) fn dropping(
    session: &mut Session,
    at: &Namespace,
    packet: &Packet,
) -> Result<Vec<DroppingChain>, Error> {
    let chains = list(session, at, "nftables chains", message::list_chains())?;
    let mut bases = Vec::new();
    for message in &chains {
        let (Some(family), Some(policy)) = (family(message), policy(message, hook(packet))?) else { continue };
        let name = |attribute| find(message, attribute).map(text);
        bases.push((family, name(message::NFTA_CHAIN_TABLE)?, name(message::NFTA_CHAIN_NAME)?, policy));
    }
    let mut rules: BTreeMap<(Table, bool), Vec<Rule>> = BTreeMap::new();
    let mut sets = Sets { session, at, read: BTreeMap::new() };
    if !bases.is_empty() {
        for message in list(sets.session, at, "nftables rules", message::list_all_rules())? {
            let family = message.body.first().copied().unwrap_or_default();
            let table = (family, text(find(&message, message::NFTA_RULE_TABLE)?));
            for is_ipv6 in versions(packet) {
                let held = rule(&message, packet, is_ipv6, &mut |set| sets.members(&table, set))?;
                rules.entry((table.clone(), is_ipv6)).or_default().extend(held);
            }
        }
    }
    let mut found = Vec::new();
    for (family, table, chain, policy) in bases {
        let seen = |is_ipv6| {
            let of_table = rules.get(&((message_family(family), table.clone()), is_ipv6));
            Walk::new(of_table.map(Vec::as_slice).unwrap_or_default(), packet).chain(&chain, 0)
        };
        let sees = |is_ipv6: &bool| if *is_ipv6 { family != "ip" } else { family != "ip6" };
        let ends = versions(packet).into_iter().filter(sees).map(seen);
        let refused = ends.filter(|ends| !ends.accept && (!ends.pass || policy == NF_DROP));
        // By a rule, if it never comes to the policy.
        let by = refused.map(|ends| ends.drop.filter(|_| !ends.pass)).reduce(Option::or);
        found.extend(by.map(|rule_in| DroppingChain { chain: format!("{family} {table} {chain}"), rule_in }));
    }
    Ok(found)
}

/// The handles of a table's rules that end in a drop of what a container begins: themselves, or where they lead.
pub(super) fn refusing(listed: &[Message], is_ipv6: bool) -> Result<BTreeSet<u64>, Error> {
    let packet = &Packet::Forwarded;
    let held = |message| rule(message, packet, is_ipv6, &mut |_| None);
    let rules: Vec<Option<Rule>> = listed.iter().map(held).collect::<Result<_, _>>()?;
    let known: Vec<Rule> = rules.iter().flatten().cloned().collect();
    let mut walk = Walk::new(&known, packet);
    let mut found = BTreeSet::new();
    for (message, rule) in listed.iter().zip(&rules) {
        if let Some(rule) = rule.as_ref().filter(|rule| walk.counts(rule)) {
            let ends = walk.rule(rule, 0);
            if ends.drop.is_some() && !ends.accept && !ends.pass {
                found.insert(big_long(find(message, message::NFTA_RULE_HANDLE)?)?);
            }
        }
    }
    Ok(found)
}

fn hook(packet: &Packet) -> u32 {
    chain::hook_number(match packet {
        Packet::Forwarded => NftHook::Forward,
        Packet::Udp { .. } => NftHook::Input,
    })
}

/// As IPv4 or IPv6.
fn versions(packet: &Packet) -> Vec<bool> {
    match packet {
        Packet::Forwarded => vec![false, true],
        Packet::Udp { ipv6, .. } => vec![*ipv6],
    }
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

/// The policy of a base chain at a hook.
fn policy(message: &Message, wanted: u32) -> Result<Option<u32>, Error> {
    let chain = |attribute| after(&message.body, message::HEADER)?.find(attribute);
    let (Some(hook), Some(policy)) = (chain(message::NFTA_CHAIN_HOOK)?, chain(message::NFTA_CHAIN_POLICY)?) else {
        return Ok(None);
    };
    let hook = attributes(hook).find(message::NFTA_HOOK_HOOKNUM)?.map(big_number).transpose()?;
    if hook == Some(wanted) { big_number(policy).map(Some) } else { Ok(None) }
}

/// What sets and maps have, each read when a rule first looks into it.
struct Sets<'a, 'b> {
    session: &'a mut Session<'b>,
    at: &'a Namespace,
    read: BTreeMap<(Table, String), Option<Rc<Members>>>,
}

impl Sets<'_, '_> {
    /// None: it can't be said.
    fn members(&mut self, table: &Table, set: &str) -> Option<Rc<Members>> {
        let key = (table.clone(), set.to_owned());
        if !self.read.contains_key(&key) {
            let members = if self.read.len() < SETS { self.read(table, set).map(Rc::new) } else { None };
            self.read.insert(key.clone(), members);
        }
        self.read.get(&key).cloned().flatten()
    }

    fn read(&mut self, (family, table): &Table, set: &str) -> Option<Members> {
        let mut members = Members::default();
        let question = message::list_elements(Writer::after(&[*family, 0, 0, 0]), table, set);
        for piece in list(self.session, self.at, "nftables sets", question).ok()? {
            let all = after(&piece.body, message::HEADER).ok()?.find(message::NFTA_SET_ELEM_LIST_ELEMENTS).ok()?;
            for element in attributes(all.unwrap_or_default()) {
                members.add(element.ok()?.1)?;
            }
            if members.len() > ELEMENTS {
                return None;
            }
        }
        Some(members)
    }
}

/// All that may become of a packet in a chain.
#[derive(Clone, Default)]
struct Ends {
    accept: bool,
    /// It leaves the chain at its end.
    pass: bool,
    /// The first chain whose rule may drop it.
    drop: Option<String>,
}

impl Ends {
    fn pass() -> Self {
        Self { pass: true, ..Self::default() }
    }

    fn or(self, other: Self) -> Self {
        Self { accept: self.accept || other.accept, pass: self.pass || other.pass, drop: self.drop.or(other.drop) }
    }
}

/// The way of a packet through the chains of a table.
struct Walk<'a> {
    rules: &'a [Rule],
    /// Rules that hold perhaps are passed over: they are exceptions for a few connections, and most begin otherwise.
    is_any: bool,
    /// Chains that were walked: each once, however many jumps lead to it.
    known: BTreeMap<&'a str, Ends>,
}

impl<'a> Walk<'a> {
    fn new(rules: &'a [Rule], packet: &Packet) -> Self {
        Self { rules, is_any: *packet == Packet::Forwarded, known: BTreeMap::new() }
    }

    fn counts(&self, rule: &Rule) -> bool {
        rule.is_certain || !self.is_any
    }

    fn chain(&mut self, chain: &str, jumps: usize) -> Ends {
        let mut all = Ends::default();
        for rule in self.rules.iter().filter(|rule| rule.chain == chain) {
            if !self.counts(rule) {
                continue;
            }
            let ends = self.rule(rule, jumps);
            // Back from a jump, the next rule is looked at.
            let comes_back = ends.pass && matches!(rule.verdict, Verdict::Jump(_));
            all = all.or(Ends { pass: ends.pass && !comes_back, ..ends });
            if rule.is_certain && !comes_back {
                return all;
            }
        }
        all.or(Ends::pass())
    }

    fn rule(&mut self, rule: &'a Rule, jumps: usize) -> Ends {
        match &rule.verdict {
            Verdict::Accept => Ends { accept: true, ..Ends::default() },
            Verdict::Drop => Ends { drop: Some(rule.chain.clone()), ..Ends::default() },
            Verdict::Return => Ends::pass(),
            Verdict::Jump(to) | Verdict::Goto(to) => self.lead(to, jumps),
        }
    }

    fn lead(&mut self, to: &'a str, jumps: usize) -> Ends {
        if let Some(ends) = self.known.get(to) {
            return ends.clone();
        }
        let ends = if jumps < JUMPS { self.chain(to, jumps + 1) } else { Ends::pass() };
        self.known.insert(to, ends.clone());
        ends
    }
}

//! nftables: rules in tables of family inet, each change one transaction over NETLINK_NETFILTER (linux/netfilter/nf_tables.h).

mod chain;
mod dropping;
mod echo;
pub(super) mod expression;
mod followed;
mod iptables;
pub(super) mod map;
pub(super) mod message;
pub(super) mod own;
mod ports;
mod removal;
pub(super) mod sets;
mod statement;
mod table;
mod values;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rustix::io::Errno;

use crate::error::Refusal;
use crate::transport::attribute::{after, big_long, text};
use crate::transport::session::Session;
use crate::transport::socket::{Answer, Message, Protocol, Request, malformed};
use crate::{
    Applied, Change, Error, FRAMES, FoundRule, Namespace, NftChain, NftHandle, NftPort, NftRule, NftTable, Outcome,
};

pub(super) use dropping::dropping;
pub(super) use echo::keep_echoes_out;
pub(super) use iptables::{change as change_iptables, read as read_iptables};
pub(super) use message::{NFT_MSG_NEWGEN, NFT_SUBSYSTEM, get_generation};
use ports::Ports;
pub(super) use removal::remove;
pub(super) use statement::counters;
pub(crate) use table::Tables;
use table::{Base, Held, Table};

pub(super) const NFPROTO_INET: u8 = 1;
pub(super) const NFPROTO_BRIDGE: u8 = 7;
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
const NF_DROP: u32 = 0;
/// The answers to more rules than these might not fit into the socket's buffer.
const RULES_PER_CHANGE: usize = 1000;
/// A condition is up to some 350 bytes, and all of them have to fit into the socket's buffer.
const CONDITIONS_PER_CHANGE: usize = 5000;
/// Another's change of the namespace's rules in the middle is rare; twenty in a row are not to be expected.
const TRIES: usize = 20;

/// Adds rules at the ends of their chains; the table and the chains are made if they aren't there.
pub(super) fn add(
    session: &mut Session,
    tables: &Tables,
    at: &Namespace,
    table: &str,
    rules: &[NftRule],
) -> Result<Applied, Error> {
    if rules.len() > RULES_PER_CHANGE {
        return Err(Error::refused(format!("{} rules are too many for one change ({RULES_PER_CHANGE})", rules.len())));
    }
    let made = if rules.is_empty() { Vec::new() } else { append(session, &mut tables.hold(at), at, table, rules)? };
    let undo = Change::RemoveNftRules { namespace: at.clone(), table: table.to_owned(), rules: made.clone() };
    Ok(Applied { outcome: Outcome::Rules(made), undo: vec![undo] })
}

/// Makes tables anew, with these sets and rules and nothing else: whatever passes sees the old ones or the new ones.
pub(super) fn replace_tables(
    session: &mut Session,
    known: &Tables,
    at: &Namespace,
    tables: &[NftTable],
) -> Result<Vec<Vec<NftHandle>>, Error> {
    let mut known = known.hold(at);
    let (mut made, mut rest) = (Vec::with_capacity(tables.len()), tables);
    while !rest.is_empty() {
        // As many as fit: the kernel lets others wait after each transaction.
        let together = fitting(rest.iter().map(cost_of_table)).max(1);
        let (now, later) = rest.split_at(together);
        match now {
            [table] => made.push(replace_in_parts(session, &mut known, at, table)?),
            _ => made.extend(replace(session, &mut known, at, now)?),
        }
        rest = later;
    }
    Ok(made)
}

/// One table, however many rules it has.
fn replace_in_parts(
    session: &mut Session,
    known: &mut Held,
    at: &Namespace,
    table: &NftTable,
) -> Result<Vec<NftHandle>, Error> {
    let part = |rest: &[NftRule]| fitting(rest.iter().map(|rule| cost(std::slice::from_ref(rule)))).max(1);
    let (now, mut rest) = table.rules.split_at(part(table.rules).min(table.rules.len()));
    let mut made = replace(session, known, at, &[NftTable { rules: now, ..*table }])?.concat();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(part(rest));
        made.extend(append(session, known, at, table.name, now)?);
        rest = later;
    }
    Ok(made)
}

/// With its sets: an element is a quarter of a condition.
fn cost_of_table(table: &NftTable) -> (usize, usize) {
    let (rules, conditions) = cost(table.rules);
    (rules + table.chains.len(), conditions + table.sets.iter().map(|set| 1 + set.elements.len() / 4).sum::<usize>())
}

/// Of a transaction: rules, and conditions.
fn cost(rules: &[NftRule]) -> (usize, usize) {
    (rules.len(), rules.iter().map(|rule| 1 + rule.conditions.len() + rule.statements.len()).sum())
}

/// How many of these go into one transaction: of rules with a few conditions each, a thousand.
fn fitting(costs: impl Iterator<Item = (usize, usize)>) -> usize {
    let (mut rules, mut conditions) = (0, 0);
    let fit = costs.take_while(|(more_rules, more_conditions)| {
        rules += more_rules;
        conditions += more_conditions;
        rules <= RULES_PER_CHANGE && conditions <= CONDITIONS_PER_CHANGE
    });
    fit.count()
}

/// One transaction: tables are removed, whether they are there or not, and made with these sets and rules.
fn replace(
    session: &mut Session,
    known: &mut Held,
    at: &Namespace,
    tables: &[NftTable],
) -> Result<Vec<Vec<NftHandle>>, Error> {
    let mut batch = Batch::default();
    for NftTable { name, .. } in tables {
        known.forget(name);
        batch.requests.extend([message::new_table(name), message::delete_table(name)]);
    }
    let mut made: Vec<Table> = tables.iter().map(Table::to_be).collect();
    for (table, made) in tables.iter().zip(&made) {
        batch.put_sets(table);
        batch.put_own_chains(table);
        batch.put(table.name, table.rules, made)?;
    }
    let answers = transaction(session, at, batch.requests, None)?;
    if let Some((position, refusal)) = first_refusal(&answers) {
        return Err(refused(&batch.rules, position, refusal));
    }
    let (mut places, mut leads) = (batch.rules.into_iter(), batch.leads.as_slice());
    let mut handles = Vec::with_capacity(tables.len());
    for (NftTable { name, rules, .. }, mut table) in tables.iter().zip(made.drain(..)) {
        let places: Vec<Place> = places.by_ref().take(rules.len()).collect();
        let end = places.last().map_or(0, |(position, _)| *position);
        let (now, later) = leads.split_at(leads.partition_point(|(position, _)| *position < end));
        leads = later;
        handles.push(note(&mut table, rules, &places, now, &answers)?);
        known.keep(name, table);
    }
    Ok(handles)
}

/// One transaction: rules at the ends of their chains.
fn append(
    session: &mut Session,
    known: &mut Held,
    at: &Namespace,
    name: &str,
    rules: &[NftRule],
) -> Result<Vec<NftHandle>, Error> {
    for _ in 0..TRIES {
        let mut table = known.take(session, at, name)?;
        let mut batch = Batch::default();
        batch.put(name, rules, &table)?;
        let answers = transaction(session, at, batch.requests, None)?;
        let Some((position, refusal)) = first_refusal(&answers) else {
            let made = note(&mut table, rules, &batch.rules, &batch.leads, &answers)?;
            known.keep(name, table);
            return Ok(made);
        };
        // Another has made or removed something meanwhile, or since it was read.
        let is_mistaken = !table.is_fresh || batch.maps.contains(&position);
        if !is_mistaken || !refusal.is(&[Errno::EXIST, Errno::NOENT]) {
            return Err(refused(&batch.rules, position, refusal));
        }
    }
    Err(Error::refused("the rules changed each time while they were looked at"))
}

/// Where in a transaction a rule is, and the port in whose chain.
type Place = (usize, Option<NftPort>);

/// A transaction, and where in it things are.
#[derive(Default)]
struct Batch {
    requests: Vec<Request>,
    rules: Vec<Place>,
    /// The rules that look into maps.
    leads: Vec<(usize, NftChain)>,
    /// What fails if a map is there, or isn't, that seemed not to be, or to be.
    maps: HashSet<usize>,
    /// The next set's number.
    set: u32,
}

impl Batch {
    /// A new table's sets, which rules look into.
    fn put_sets(&mut self, table: &NftTable) {
        if !table.sets.is_empty() {
            self.requests.push(message::new_table(table.name));
        }
        for set in table.sets {
            self.requests.extend(sets::whole(table.name, set, self.set));
            self.set += 1;
        }
    }

    /// A new table's own chains, which rules lead to.
    fn put_own_chains(&mut self, table: &NftTable) {
        if !table.chains.is_empty() {
            self.requests.push(message::new_table(table.name));
        }
        self.requests.extend(table.chains.iter().map(|chain| message::new_own_chain(table.name, chain)));
    }

    /// A table, its chains and its rules, as far as they aren't there. Own chains are.
    fn put(&mut self, name: &str, rules: &[NftRule], table: &Table) -> Result<(), Error> {
        let in_bases = rules.iter().filter(|rule| rule.own.is_none());
        let mut chains: Vec<NftChain> = in_bases.map(|rule| rule.chain).collect();
        chains.sort_unstable();
        chains.dedup();
        self.requests.push(message::new_table(name));
        self.requests.extend(chains.iter().map(|chain| message::new_chain(name, *chain)));
        let mut new: BTreeMap<NftChain, Grown> = BTreeMap::new();
        for rule in rules {
            let mut port = None;
            if rule.own.is_none() {
                let base = table.bases.get(&rule.chain);
                let grown = new.entry(rule.chain).or_insert_with(|| Grown::of(base));
                port = grown.place(rule, base);
                if let Some(port) = port {
                    self.lead(name, rule.chain, port, grown, base);
                }
            }
            let first = self.set;
            for links in rule.conditions.iter().filter_map(expression::set) {
                self.requests.extend(message::new_set(name, self.set, links));
                self.set += 1;
            }
            self.rules.push((self.requests.len(), port));
            self.requests.push(message::new_rule(name, rule, port, first)?);
        }
        Ok(())
    }

    /// The way from a base chain to that of a port.
    fn lead(&mut self, name: &str, chain: NftChain, port: NftPort, grown: &mut Grown, base: Option<&Base>) {
        if !std::mem::replace(&mut grown.has_map, true) {
            self.maps.insert(self.requests.len());
            self.requests.push(map::new(name, chain, self.set));
            self.set += 1;
        }
        if !std::mem::replace(&mut grown.leads, true) {
            self.maps.insert(self.requests.len());
            self.leads.push((self.requests.len(), chain));
            self.requests.push(map::new_rule(name, chain));
        }
        let is_led_to = base.and_then(|base| base.ports.get(&port)).is_some_and(|port| port.is_led_to);
        if grown.ports.insert(port) && !is_led_to {
            self.requests.push(message::new_port_chain(name, chain, port));
            self.maps.insert(self.requests.len());
            self.requests.push(map::new_element(name, chain, port));
        }
    }
}

/// What a base chain has in the middle of a transaction.
#[derive(Default)]
struct Grown {
    has_map: bool,
    leads: bool,
    /// The new rules behind the one that looks into the map.
    behind: Vec<Option<Ports>>,
    /// The ports that new rules are for.
    ports: BTreeSet<NftPort>,
}

impl Grown {
    fn of(base: Option<&Base>) -> Self {
        base.map_or_else(Self::default, |base| Self {
            has_map: base.has_map,
            leads: base.leads.is_some(),
            ..Self::default()
        })
    }

    /// The port in whose chain a rule is to stand; none: in the base chain.
    fn place(&mut self, rule: &NftRule, base: Option<&Base>) -> Option<NftPort> {
        let ports = Ports::of(rule);
        let mut behind = base.into_iter().flat_map(Base::behind).chain(self.behind.iter().copied());
        let port = Ports::of_chain(rule);
        let port = port.filter(|port| behind.all(|other| other.is_some_and(|other| !other.has(*port))));
        if port.is_none() && self.leads {
            self.behind.push(ports);
        }
        port
    }
}

/// Notes what was made, and answers where the rules are found again, by what the kernel echoed.
fn note(
    table: &mut Table,
    rules: &[NftRule],
    places: &[Place],
    leads: &[(usize, NftChain)],
    answers: &[Answer],
) -> Result<Vec<NftHandle>, Error> {
    let echoed = |position: usize| {
        let answer = answers.get(position).and_then(|answer| answer.as_ref().ok());
        let echo = answer.and_then(|messages| messages.first()).ok_or_else(malformed)?;
        big_long(find(echo, message::NFTA_RULE_HANDLE)?)
    };
    for (position, chain) in leads {
        let base = table.bases.entry(*chain).or_default();
        (base.has_map, base.leads) = (true, Some(echoed(*position)?));
    }
    let each = rules.iter().zip(places).map(|(rule, (position, port))| {
        let (chain, port, own) = (rule.chain, *port, rule.own.clone());
        let handle = NftHandle { chain, port, own, handle: echoed(*position)? };
        table.note(rule, &handle);
        Ok(handle)
    });
    each.collect()
}

fn refused(rules: &[Place], position: usize, refusal: &Refusal) -> Error {
    let count = rules.len();
    match rules.iter().position(|(rule, _)| *rule == position) {
        Some(position) if count > 1 => Error::kernel(format_args!("rule {} of {count}", position + 1), refusal),
        Some(_) => Error::kernel("the rule", refusal),
        None if refusal.is(&[Errno::OPNOTSUPP, Errno::INVAL, Errno::PROTONOSUPPORT]) => {
            Error::kernel("the table or a chain (does this kernel have nftables with family inet and nat?)", refusal)
        }
        None => Error::kernel("the table, a chain or a set", refusal),
    }
}

/// Removes a table with all in it. Whether there is one is asked first: the kernel takes a transaction back that fails, and holds whoever
/// changes rules for as long as packets may see them (RCU), some 10 ms.
pub(super) fn remove_table(
    session: &mut Session,
    tables: &Tables,
    at: &Namespace,
    table: &str,
) -> Result<Applied, Error> {
    let mut known = tables.hold(at);
    known.forget(table);
    let done = Applied { outcome: Outcome::Done, undo: Vec::new() };
    match session.ask(at, Protocol::Netfilter, message::get_table(table)) {
        Ok(Err(refusal)) if refusal.is(&[Errno::NOENT]) => return Ok(done),
        // What else is wrong, the removal says.
        _ => {}
    }
    let answers = transaction(session, at, vec![message::delete_table(table)], None)?;
    match first_refusal(&answers) {
        Some((_, refusal)) if !refusal.is(&[Errno::NOENT]) => Err(Error::kernel("the table", refusal)),
        _ => Ok(done),
    }
}

/// The names of the tables of family inet, and of those of family bridge that [`FRAMES`](crate::FRAMES) ends.
pub(super) fn tables(session: &mut Session, at: &Namespace) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for (question, of_frames) in message::list_tables().into_iter().zip([false, true]) {
        for message in list(session, at, "nftables tables", question)? {
            all.extend(
                Some(text(find(&message, message::NFTA_TABLE_NAME)?))
                    .filter(|name| name.ends_with(FRAMES) == of_frames),
            );
        }
    }
    Ok(all)
}

/// The rules of a table, or of all of families inet and bridge, in the chains that [`add`] makes: with their table and their comment.
pub(super) fn rules(session: &mut Session, at: &Namespace, table: Option<&str>) -> Result<Vec<FoundRule>, Error> {
    let (mut found, mut leading) = (Vec::new(), HashSet::new());
    let questions =
        table.map_or_else(|| message::list_rules_of_families().into(), |table| vec![message::list_rules(table)]);
    let mut messages = Vec::new();
    for question in questions {
        messages.extend(list(session, at, "nftables rules", question)?);
    }
    for message in messages {
        let name = text(find(&message, message::NFTA_RULE_CHAIN)?);
        let Some(place) = chain::place_of_rule(&name) else { continue };
        let table = text(find(&message, message::NFTA_RULE_TABLE)?);
        let handle = big_long(find(&message, message::NFTA_RULE_HANDLE)?)?;
        let userdata = after(&message.body, message::HEADER)?.find(message::NFTA_RULE_USERDATA)?.unwrap_or_default();
        if map::leads(userdata) {
            leading.insert((table, place.chain));
            continue;
        }
        found.push(FoundRule { table, handle: NftHandle { handle, ..place }, comment: message::comment(userdata) });
    }
    // A rule of a port that nothing leads to any more is as good as gone.
    found.retain(|rule| rule.handle.port.is_none() || leading.contains(&(rule.table.clone(), rule.handle.chain)));
    Ok(found)
}

/// None where there is no such table, and on a kernel without nftables (nfnetlink says EINVAL to a subsystem that it hasn't).
fn list(session: &mut Session, at: &Namespace, what: &str, request: Request) -> Result<Vec<Message>, Error> {
    match session.ask(at, Protocol::Netfilter, request) {
        Err(error) if error.errno == Some(Errno::PROTONOSUPPORT.raw_os_error()) => Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(Ok(messages)) => Ok(messages),
        Ok(Err(refusal)) if refusal.is(&[Errno::NOENT, Errno::INVAL, Errno::OPNOTSUPP]) => Ok(Vec::new()),
        Ok(Err(refusal)) => Err(Error::kernel(format_args!("listing {what}"), &refusal)),
    }
}

/// Sends a batch between its begin and end; the answers are the batch's own. `generation`: only if nothing has changed since.
fn transaction(
    session: &mut Session,
    at: &Namespace,
    batch: Vec<Request>,
    generation: Option<u32>,
) -> Result<Vec<Answer>, Error> {
    let mut requests = vec![message::begin(generation)];
    requests.extend(batch);
    requests.push(message::end());
    let mut answers = session.datagram(at, Protocol::Netfilter, &requests)?;
    // Refusals of the whole batch point at its begin.
    let begin = answers.remove(0);
    answers.pop();
    if let (Err(refusal), Some(first)) = (begin, answers.first_mut()) {
        *first = Err(refusal);
    }
    Ok(answers)
}

fn first_refusal(answers: &[Answer]) -> Option<(usize, &Refusal)> {
    answers.iter().enumerate().find_map(|(i, answer)| answer.as_ref().err().map(|refusal| (i, refusal)))
}

/// The kernel's answer to a batch of an older generation; never seen by ordinary system calls, so rustix has no name for it.
const ERESTART: i32 = 85;

/// Whether somebody else's change came before a batch that is tied to a generation.
fn is_overtaken(refusal: &Refusal) -> bool {
    refusal.is(&[Errno::from_raw_os_error(ERESTART)])
}

fn find(message: &Message, attribute: u16) -> Result<&[u8], Error> {
    after(&message.body, message::HEADER)?.find(attribute)?.ok_or_else(malformed)
}

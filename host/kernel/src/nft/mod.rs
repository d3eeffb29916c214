//! nftables: rules in tables of family inet, each change one transaction over NETLINK_NETFILTER (linux/netfilter/nf_tables.h).

mod chain;
mod dropping;
mod echo;
pub(super) mod expression;
mod iptables;
pub(super) mod map;
pub(super) mod message;
mod ports;
mod removal;

use std::collections::HashSet;

use rustix::io::Errno;

use crate::error::Refusal;
use crate::transport::attribute::{after, big_long, big_number, text};
use crate::transport::session::Session;
use crate::transport::socket::{Answer, Message, Protocol, Request, malformed};
use crate::{Applied, Change, Error, FoundRule, Namespace, NftChain, NftHandle, NftPort, NftRule, Outcome};

pub(super) use dropping::dropping;
pub(super) use echo::keep_echoes_out;
pub(super) use iptables::{change as change_iptables, read as read_iptables};
pub(super) use message::{NFT_MSG_NEWGEN, NFT_SUBSYSTEM, get_generation};
use ports::Known;
pub(super) use removal::remove;

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
pub(super) fn add(session: &mut Session, at: &Namespace, table: &str, rules: &[NftRule]) -> Result<Applied, Error> {
    if rules.len() > RULES_PER_CHANGE {
        return Err(Error::refused(format!("{} rules are too many for one change ({RULES_PER_CHANGE})", rules.len())));
    }
    let made = if rules.is_empty() { Vec::new() } else { append(session, at, table, rules)? };
    let undo = Change::RemoveNftRules { namespace: at.clone(), table: table.to_owned(), rules: made.clone() };
    Ok(Applied { outcome: Outcome::Rules(made), undo: vec![undo] })
}

/// Makes tables anew, with these rules and nothing else: whatever passes sees the old ones or the new ones.
pub(super) fn replace_tables(
    session: &mut Session,
    at: &Namespace,
    tables: &[(&str, &[NftRule])],
) -> Result<Vec<Vec<NftHandle>>, Error> {
    let (mut made, mut rest) = (Vec::with_capacity(tables.len()), tables);
    while let [(table, rules), ..] = rest {
        // As many as fit: the kernel lets others wait after each transaction.
        let together = fitting(rest.iter().map(|(_, rules)| cost(rules))).max(1);
        let (now, later) = rest.split_at(together);
        match now {
            [_] => made.push(replace_in_parts(session, at, table, rules)?),
            _ => made.extend(replace(session, at, now)?),
        }
        rest = later;
    }
    Ok(made)
}

/// One table, however many rules it has.
fn replace_in_parts(
    session: &mut Session,
    at: &Namespace,
    table: &str,
    mut rest: &[NftRule],
) -> Result<Vec<NftHandle>, Error> {
    let mut made = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let fit = fitting(rest.iter().map(|rule| cost(std::slice::from_ref(rule)))).max(1);
        let (now, later) = rest.split_at(fit);
        made.extend(match made.is_empty() {
            true => replace(session, at, &[(table, now)])?.concat(),
            false => append(session, at, table, now)?,
        });
        rest = later;
    }
    Ok(made)
}

/// Of a transaction: rules, and conditions.
fn cost(rules: &[NftRule]) -> (usize, usize) {
    (rules.len(), rules.iter().map(|rule| 1 + rule.conditions.len()).sum())
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

/// One transaction: tables are removed, whether they are there or not, and made with these rules.
fn replace(session: &mut Session, at: &Namespace, tables: &[(&str, &[NftRule])]) -> Result<Vec<Vec<NftHandle>>, Error> {
    let mut batch = Batch::default();
    for (table, _) in tables {
        batch.requests.extend([message::new_table(table), message::delete_table(table)]);
    }
    for (table, rules) in tables {
        batch.put(table, rules, Known::default())?;
    }
    let answers = transaction(session, at, batch.requests, None)?;
    if let Some((position, refusal)) = first_refusal(&answers) {
        return Err(refused(&batch.rules, position, refusal));
    }
    let mut rest = batch.rules.as_slice();
    let of_table = |(_, rules): &(&str, &[NftRule])| {
        let (now, later) = rest.split_at(rules.len().min(rest.len()));
        rest = later;
        handles(rules, now, &answers)
    };
    tables.iter().map(of_table).collect()
}

/// One transaction: rules at the ends of their chains.
fn append(session: &mut Session, at: &Namespace, table: &str, rules: &[NftRule]) -> Result<Vec<NftHandle>, Error> {
    for _ in 0..TRIES {
        let mut batch = Batch::default();
        let known = Known::look(session, at, table, rules)?;
        let generation = known.generation;
        batch.put(table, rules, known)?;
        let answers = transaction(session, at, batch.requests, generation)?;
        match first_refusal(&answers) {
            None => return handles(rules, &batch.rules, &answers),
            Some((_, refusal)) if is_overtaken(refusal) => {}
            // Another has made or removed a map meanwhile.
            Some((position, refusal))
                if batch.maps.contains(&position) && refusal.is(&[Errno::EXIST, Errno::NOENT]) => {}
            Some((position, refusal)) => return Err(refused(&batch.rules, position, refusal)),
        }
    }
    Err(Error::refused("the rules changed each time while they were looked at"))
}

/// A transaction, and where in it things are.
#[derive(Default)]
struct Batch {
    requests: Vec<Request>,
    /// Rules, each with the port in whose chain it is.
    rules: Vec<(usize, Option<NftPort>)>,
    /// What fails if a map is there, or isn't, that seemed not to be, or to be.
    maps: HashSet<usize>,
    /// The next set's number.
    set: u32,
}

impl Batch {
    /// A table, its chains and its rules.
    fn put(&mut self, table: &str, rules: &[NftRule], mut known: Known) -> Result<(), Error> {
        let mut chains: Vec<NftChain> = rules.iter().map(|rule| rule.chain).collect();
        chains.sort_unstable();
        chains.dedup();
        self.requests.push(message::new_table(table));
        self.requests.extend(chains.iter().map(|chain| message::new_chain(table, *chain)));
        let mut led = HashSet::new();
        for rule in rules {
            let port = known.place(rule);
            if let Some(port) = port.filter(|port| led.insert((rule.chain, *port))) {
                self.lead(table, rule.chain, port, &mut known);
            }
            let first = self.set;
            for links in rule.conditions.iter().filter_map(expression::set) {
                self.requests.extend(message::new_set(table, self.set, links));
                self.set += 1;
            }
            self.rules.push((self.requests.len(), port));
            self.requests.push(message::new_rule(table, rule, port, first)?);
        }
        Ok(())
    }

    /// The way from a base chain to that of a port.
    fn lead(&mut self, table: &str, chain: NftChain, port: NftPort, known: &mut Known) {
        let base = known.base(chain);
        if !base.has_map {
            self.maps.insert(self.requests.len());
            self.requests.push(map::new(table, chain, self.set));
            self.set += 1;
        }
        if !base.leads {
            self.maps.insert(self.requests.len());
            self.requests.push(map::new_rule(table, chain));
        }
        (base.has_map, base.leads) = (true, true);
        self.requests.push(message::new_port_chain(table, chain, port));
        self.maps.insert(self.requests.len());
        self.requests.push(map::new_element(table, chain, port));
    }
}

fn refused(rules: &[(usize, Option<NftPort>)], position: usize, refusal: &Refusal) -> Error {
    let count = rules.len();
    match rules.iter().position(|(rule, _)| *rule == position) {
        Some(position) if count > 1 => Error::kernel(format_args!("rule {} of {count}", position + 1), refusal),
        Some(_) => Error::kernel("the rule", refusal),
        None if refusal.is(&[Errno::OPNOTSUPP, Errno::INVAL, Errno::PROTONOSUPPORT]) => {
            Error::kernel("the table or a chain (does this kernel have nftables with family inet and nat?)", refusal)
        }
        None => Error::kernel("the table or a chain", refusal),
    }
}

/// Removes a table with all in it. Whether there is one is asked first: the kernel takes a transaction back that fails, and holds whoever
/// changes rules for as long as packets may see them (RCU), some 10 ms.
pub(super) fn remove_table(session: &mut Session, at: &Namespace, table: &str) -> Result<Applied, Error> {
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

/// The names of the tables of family inet.
pub(super) fn tables(session: &mut Session, at: &Namespace) -> Result<Vec<String>, Error> {
    let messages = list(session, at, "nftables tables", message::list_tables())?;
    messages.iter().map(|m| find(m, message::NFTA_TABLE_NAME).map(text)).collect()
}

/// The rules of a table, or of all of family inet, in the chains that [`add`] makes: with their table and their comment.
pub(super) fn rules(session: &mut Session, at: &Namespace, table: Option<&str>) -> Result<Vec<FoundRule>, Error> {
    let (mut found, mut leading) = (Vec::new(), HashSet::new());
    for message in list(session, at, "nftables rules", message::list_rules(table))? {
        let name = text(find(&message, message::NFTA_RULE_CHAIN)?);
        let Some((chain, port)) = chain::place(&name) else { continue };
        let table = text(find(&message, message::NFTA_RULE_TABLE)?);
        let handle = big_long(find(&message, message::NFTA_RULE_HANDLE)?)?;
        let userdata = after(&message.body, message::HEADER)?.find(message::NFTA_RULE_USERDATA)?.unwrap_or_default();
        if ports::leads(userdata) {
            leading.insert((table, chain));
            continue;
        }
        found.push(FoundRule { table, handle: NftHandle { chain, port, handle }, comment: message::comment(userdata) });
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

/// Where rules are found again, by what the kernel echoed.
fn handles(
    rules: &[NftRule],
    places: &[(usize, Option<NftPort>)],
    answers: &[Answer],
) -> Result<Vec<NftHandle>, Error> {
    let handle = |(rule, (position, port)): (&NftRule, &(usize, Option<NftPort>))| {
        let answer = answers.get(*position).and_then(|answer| answer.as_ref().ok());
        let echo = answer.and_then(|messages| messages.first()).ok_or_else(malformed)?;
        let handle = big_long(find(echo, message::NFTA_RULE_HANDLE)?)?;
        Ok(NftHandle { chain: rule.chain, port: *port, handle })
    };
    rules.iter().zip(places).map(handle).collect()
}

/// A number in an answer about one object; none: there is no such object.
fn count(answer: &Answer, attribute: u16) -> Result<Option<u32>, Error> {
    match answer {
        Ok(messages) => messages.first().map(|m| find(m, attribute).and_then(big_number)).transpose(),
        Err(refusal) if refusal.is(&[Errno::NOENT]) => Ok(None),
        Err(refusal) => Err(Error::kernel("looking at the table", refusal)),
    }
}

fn find(message: &Message, attribute: u16) -> Result<&[u8], Error> {
    after(&message.body, message::HEADER)?.find(attribute)?.ok_or_else(malformed)
}

//! nftables: rules in tables of family inet, each change one transaction over NETLINK_NETFILTER (linux/netfilter/nf_tables.h).

mod chain;
mod counted;
mod dropping;
mod echo;
pub(super) mod expression;
mod iptables;
pub(super) mod message;
mod removal;

use rustix::io::Errno;

use crate::error::Refusal;
use crate::transport::attribute::{after, big_long, text};
use crate::transport::session::Session;
use crate::transport::socket::{Answer, Message, Protocol, Request, malformed};
use crate::{Applied, Change, Error, FoundRule, Namespace, NftChain, NftHandle, NftRule, Outcome};

pub(crate) use counted::Counted;
pub(super) use dropping::dropping;
pub(super) use echo::keep_echoes_out;
pub(super) use iptables::{change as change_iptables, read as read_iptables};
pub(super) use message::{NFT_MSG_NEWGEN, NFT_SUBSYSTEM, get_generation};
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

/// Adds rules at the ends of their chains; the table and the chains are made if they aren't there.
pub(super) fn add(
    session: &mut Session,
    counted: &Counted,
    at: &Namespace,
    table: &str,
    rules: &[NftRule],
) -> Result<Applied, Error> {
    if rules.len() > RULES_PER_CHANGE {
        return Err(Error::refused(format!("{} rules are too many for one change ({RULES_PER_CHANGE})", rules.len())));
    }
    let mut counted = counted.hold(at);
    let made = match rules {
        [] => Vec::new(),
        // What became of it may be unknown.
        _ => write(session, at, Vec::new(), &[(table, rules)]).inspect_err(|_| counted.forget(table))?.concat(),
    };
    counted.added(table, rules);
    let undo = Change::RemoveNftRules { namespace: at.clone(), table: table.to_owned(), rules: made.clone() };
    Ok(Applied { outcome: Outcome::Rules(made), undo: vec![undo] })
}

/// Makes tables anew, with these rules and nothing else: whatever passes sees the old ones or the new ones.
pub(super) fn replace_tables(
    session: &mut Session,
    counted: &Counted,
    at: &Namespace,
    tables: &[(&str, &[NftRule])],
) -> Result<Vec<Vec<NftHandle>>, Error> {
    let mut counted = counted.hold(at);
    tables.iter().for_each(|(table, _)| counted.forget(table));
    let (mut made, mut rest) = (Vec::with_capacity(tables.len()), tables);
    while let [(table, rules), ..] = rest {
        // As many as fit: the kernel lets others wait after each transaction.
        let together = fitting(rest.iter().map(|(_, rules)| cost(rules))).max(1);
        let (now, later) = rest.split_at(together);
        match now {
            [_] => made.push(replace_in_parts(session, at, table, rules)?),
            _ => made.extend(write(session, at, now.iter().flat_map(|(table, _)| anew(table)).collect(), now)?),
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
    let (mut made, mut first) = (Vec::with_capacity(rest.len()), anew(table).to_vec());
    while !rest.is_empty() {
        let fit = fitting(rest.iter().map(|rule| cost(std::slice::from_ref(rule)))).max(1);
        let (now, later) = rest.split_at(fit);
        made.extend(write(session, at, std::mem::take(&mut first), &[(table, now)])?.into_iter().flatten());
        rest = later;
    }
    Ok(made)
}

/// Removes a table, whether it is there or not.
fn anew(table: &str) -> [Request; 2] {
    [message::new_table(table), message::delete_table(table)]
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

/// One transaction: what comes first, then each table and its chains, and the rules at their ends.
fn write(
    session: &mut Session,
    at: &Namespace,
    mut batch: Vec<Request>,
    tables: &[(&str, &[NftRule])],
) -> Result<Vec<Vec<NftHandle>>, Error> {
    let mut positions = Vec::new();
    for (table, rules) in tables {
        put(&mut batch, &mut positions, table, rules)?;
    }
    let answers = transaction(session, at, batch, None)?;
    if let Some((position, refusal)) = first_refusal(&answers) {
        return Err(refused(positions.iter().position(|rule| *rule == position), positions.len(), refusal));
    }
    let mut answers = positions.into_iter().map(|position| answers.get(position).ok_or_else(malformed));
    let mut next = |rule: &NftRule| handle(rule.chain, answers.next().ok_or_else(malformed)??);
    tables.iter().map(|(_, rules)| rules.iter().map(&mut next).collect()).collect()
}

/// Puts a table, its chains and its rules into a batch, and notes where the rules are.
fn put(batch: &mut Vec<Request>, positions: &mut Vec<usize>, table: &str, rules: &[NftRule]) -> Result<(), Error> {
    let mut chains: Vec<NftChain> = rules.iter().map(|rule| rule.chain).collect();
    chains.sort_unstable();
    chains.dedup();
    batch.push(message::new_table(table));
    batch.extend(chains.iter().map(|chain| message::new_chain(table, *chain)));
    let mut set = 0;
    for rule in rules {
        let first = set;
        for links in rule.conditions.iter().filter_map(expression::set) {
            batch.extend(message::new_set(table, set, links));
            set += 1;
        }
        positions.push(batch.len());
        batch.push(message::new_rule(table, rule, first)?);
    }
    Ok(())
}

fn refused(rule: Option<usize>, count: usize, refusal: &Refusal) -> Error {
    match rule {
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
pub(super) fn remove_table(
    session: &mut Session,
    counted: &Counted,
    at: &Namespace,
    table: &str,
) -> Result<Applied, Error> {
    let mut counted = counted.hold(at);
    counted.forget(table);
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
    let mut found = Vec::new();
    for message in list(session, at, "nftables rules", message::list_rules(table))? {
        let name = text(find(&message, message::NFTA_RULE_CHAIN)?);
        let Some(chain) = chain::parse(&name) else { continue };
        let table = text(find(&message, message::NFTA_RULE_TABLE)?);
        let handle = big_long(find(&message, message::NFTA_RULE_HANDLE)?)?;
        let userdata = after(&message.body, message::HEADER)?.find(message::NFTA_RULE_USERDATA)?;
        let comment = userdata.map(message::comment).unwrap_or_default();
        found.push(FoundRule { table, handle: NftHandle { chain, handle }, comment });
    }
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

fn handle(chain: NftChain, answer: &Answer) -> Result<NftHandle, Error> {
    let echo = answer.as_ref().ok().and_then(|messages| messages.first()).ok_or_else(malformed)?;
    Ok(NftHandle { chain, handle: big_long(find(echo, message::NFTA_RULE_HANDLE)?)? })
}

fn find(message: &Message, attribute: u16) -> Result<&[u8], Error> {
    after(&message.body, message::HEADER)?.find(attribute)?.ok_or_else(malformed)
}

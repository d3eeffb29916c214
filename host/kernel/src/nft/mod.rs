//! nftables: rules in tables of family inet, each change one transaction over NETLINK_NETFILTER (linux/netfilter/nf_tables.h).

mod chain;
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
pub(super) fn add(session: &mut Session, at: &Namespace, table: &str, rules: &[NftRule]) -> Result<Applied, Error> {
    if rules.len() > RULES_PER_CHANGE {
        return Err(Error::refused(format!("{} rules are too many for one change ({RULES_PER_CHANGE})", rules.len())));
    }
    let made = if rules.is_empty() { Vec::new() } else { write(session, at, table, Vec::new(), rules)? };
    let undo = Change::RemoveNftRules { namespace: at.clone(), table: table.to_owned(), rules: made.clone() };
    Ok(Applied { outcome: Outcome::Rules(made), undo: vec![undo] })
}

/// Makes a table anew, with these rules and nothing else: whatever passes sees the old one or the new one.
pub(super) fn replace_table(
    session: &mut Session,
    at: &Namespace,
    table: &str,
    rules: &[NftRule],
) -> Result<Vec<NftHandle>, Error> {
    // It can be removed only if it is there.
    let mut first = vec![message::new_table(table), message::delete_table(table)];
    let mut made = Vec::with_capacity(rules.len());
    let mut rest = rules;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(fitting(rest));
        made.extend(write(session, at, table, std::mem::take(&mut first), now)?);
        rest = later;
    }
    Ok(made)
}

/// How many of the rules go into one transaction: of a few conditions each, a thousand.
fn fitting(rules: &[NftRule]) -> usize {
    let mut conditions = 0;
    let fit = rules.iter().take(RULES_PER_CHANGE).take_while(|rule| {
        conditions += 1 + rule.conditions.len();
        conditions <= CONDITIONS_PER_CHANGE
    });
    fit.count().max(1)
}

/// One transaction: what comes first, then the table and the chains, and the rules at their ends.
fn write(
    session: &mut Session,
    at: &Namespace,
    table: &str,
    mut batch: Vec<Request>,
    rules: &[NftRule],
) -> Result<Vec<NftHandle>, Error> {
    let mut chains: Vec<NftChain> = rules.iter().map(|rule| rule.chain).collect();
    chains.sort_unstable();
    chains.dedup();
    batch.push(message::new_table(table));
    batch.extend(chains.iter().map(|chain| message::new_chain(table, *chain)));
    let (mut positions, mut set) = (Vec::with_capacity(rules.len()), 0);
    for rule in rules {
        let first = set;
        for links in rule.conditions.iter().filter_map(expression::set) {
            batch.extend(message::new_set(table, set, links));
            set += 1;
        }
        positions.push(batch.len());
        batch.push(message::new_rule(table, rule, first)?);
    }
    let answers = transaction(session, at, batch, None)?;
    if let Some((position, refusal)) = first_refusal(&answers) {
        return Err(refused(positions.iter().position(|rule| *rule == position), rules.len(), refusal));
    }
    let made = rules.iter().zip(positions);
    made.map(|(rule, position)| handle(rule.chain, answers.get(position).ok_or_else(malformed)?)).collect()
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

/// Removes a table with all in it.
pub(super) fn remove_table(session: &mut Session, at: &Namespace, table: &str) -> Result<Applied, Error> {
    let answers = transaction(session, at, vec![message::delete_table(table)], None)?;
    match first_refusal(&answers) {
        Some((_, refusal)) if !refusal.is(&[Errno::NOENT]) => Err(Error::kernel("the table", refusal)),
        _ => Ok(Applied { outcome: Outcome::Done, undo: Vec::new() }),
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

//! nftables of a namespace: tables of family inet with base chains and rules, changed in transactions (net/netfilter/nf_tables_api.c).

use rustix::io::Errno;

use super::super::attribute::{Writer, attributes, big_long, big_number};
use super::super::nft::expression::{NFTA_EXPR_DATA, NFTA_EXPR_NAME, NFTA_NAT_TYPE};
use super::super::nft::message as m;
use super::super::socket::{Message, Request, flag};
use super::fields::Fields;
use super::machine::Reply;

/// NFPROTO_INET.
const INET: u8 = 1;
/// The kernel's answer to a batch of an older generation.
const ERESTART: i32 = 85;
/// NF_INET_*, as bits, that a NAT chain can be at: all but forward; and what each of its verdicts can.
const NAT_HOOKS: u32 = 0b11011;
const SOURCE_HOOKS: u32 = 1 << 4 | 1 << 1;
const DESTINATION_HOOKS: u32 = 1 | 1 << 3;
const MASQUERADE_HOOKS: u32 = 1 << 4;
/// NF_IP_PRI_CONNTRACK: translation comes after it.
const PRIORITY_CONNTRACK: i32 = -200;

/// The tables, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Nft {
    pub generation: u32,
    pub tables: Vec<Table>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    pub name: String,
    last_handle: u64,
    pub chains: Vec<Chain>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chain {
    pub name: String,
    nat: bool,
    hook: u32,
    pub rules: Vec<Rule>,
}

/// A rule. What it tests and does is kept as it came.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub handle: u64,
    pub expressions: Vec<u8>,
    pub userdata: Vec<u8>,
}

impl Nft {
    /// Answers questions; changes come as one transaction, between a begin and an end.
    pub fn exchange(&mut self, requests: &[Request]) -> Vec<Reply> {
        let is_batch = requests.first().is_some_and(|first| first.kind == m::NFNL_MSG_BATCH_BEGIN);
        if is_batch { self.transaction(requests) } else { requests.iter().map(|request| self.ask(request)).collect() }
    }

    fn transaction(&mut self, requests: &[Request]) -> Vec<Reply> {
        let mut replies: Vec<Reply> = vec![Ok(Vec::new()); requests.len()];
        let begin = requests.first().map(|first| Fields::after(&first.body, m::HEADER));
        let wanted = begin.and_then(Result::ok).and_then(|fields| fields.get(m::NFNL_BATCH_GENID).map(big_number));
        if let Some(Ok(wanted)) = wanted
            && wanted != self.generation
        {
            replies[0] = Err(Errno::from_raw_os_error(ERESTART));
            return replies;
        }
        let mut after = self.clone();
        for (reply, request) in replies.iter_mut().zip(requests).skip(1) {
            if request.kind != m::NFNL_MSG_BATCH_END {
                *reply = after.change(request);
            }
        }
        if replies.iter().all(Result::is_ok) {
            after.generation = self.generation.wrapping_add(1);
            *self = after;
        }
        replies
    }

    fn change(&mut self, request: &Request) -> Reply {
        let fields = Fields::after(&request.body, m::HEADER)?;
        let name = fields.text(m::NFTA_TABLE_NAME).ok_or(Errno::INVAL)?;
        let inet = fields.header_byte(0) == INET;
        let position = self.tables.iter().position(|table| inet && table.name == name);
        match request.kind & 0xff {
            m::NFT_MSG_NEWTABLE if !inet => Err(Errno::OPNOTSUPP),
            m::NFT_MSG_NEWTABLE => {
                if position.is_none() {
                    self.tables.push(Table { name, last_handle: 0, chains: Vec::new() });
                }
                Ok(Vec::new())
            }
            m::NFT_MSG_DELTABLE => {
                position.map(|at| drop(self.tables.remove(at))).map(|()| Vec::new()).ok_or(Errno::NOENT)
            }
            kind => {
                let table = position.and_then(|at| self.tables.get_mut(at)).ok_or(Errno::NOENT)?;
                match kind {
                    m::NFT_MSG_NEWCHAIN => table.new_chain(&fields),
                    m::NFT_MSG_DELCHAIN => table.delete_chain(&fields),
                    m::NFT_MSG_NEWRULE => table.new_rule(&fields, request.flags & flag::ECHO != 0),
                    m::NFT_MSG_DELRULE => table.delete_rule(&fields),
                    _ => Err(Errno::OPNOTSUPP),
                }
            }
        }
    }

    fn ask(&self, request: &Request) -> Reply {
        let fields = Fields::after(&request.body, m::HEADER)?;
        let table = |name: &str| self.tables.iter().find(|table| fields.header_byte(0) == INET && table.name == name);
        let named = || table(&fields.text(m::NFTA_TABLE_NAME).unwrap_or_default()).ok_or(Errno::NOENT);
        let dump = request.flags & flag::DUMP == flag::DUMP;
        match request.kind & 0xff {
            m::NFT_MSG_GETGEN => Ok(vec![Message { body: inet().put_big(m::NFTA_GEN_ID, self.generation).finish() }]),
            m::NFT_MSG_GETTABLE if dump => Ok(self.tables.iter().map(Table::tell).collect()),
            m::NFT_MSG_GETTABLE => Ok(vec![named()?.tell()]),
            m::NFT_MSG_GETCHAIN => named()?.chain(&fields).map(|chain| vec![chain.tell()]),
            m::NFT_MSG_GETRULE if dump => Ok(named().map(Table::tell_rules).unwrap_or_default()),
            m::NFT_MSG_GETRULE => {
                let (table, chain) = (named()?, named()?.rule_chain(&fields)?);
                let handle = handle(&fields)?;
                let rule = chain.rules.iter().find(|rule| rule.handle == handle).ok_or(Errno::NOENT)?;
                Ok(vec![rule.tell(table, chain)])
            }
            _ => Err(Errno::OPNOTSUPP),
        }
    }
}

impl Table {
    fn chain(&self, fields: &Fields) -> Result<&Chain, Errno> {
        let name = fields.text(m::NFTA_CHAIN_NAME).ok_or(Errno::INVAL)?;
        self.chains.iter().find(|chain| chain.name == name).ok_or(Errno::NOENT)
    }

    fn rule_chain(&self, fields: &Fields) -> Result<&Chain, Errno> {
        let name = fields.text(m::NFTA_RULE_CHAIN).ok_or(Errno::INVAL)?;
        self.chains.iter().find(|chain| chain.name == name).ok_or(Errno::NOENT)
    }

    fn new_chain(&mut self, fields: &Fields) -> Reply {
        let name = fields.text(m::NFTA_CHAIN_NAME).ok_or(Errno::INVAL)?;
        let nat = match fields.text(m::NFTA_CHAIN_TYPE).as_deref() {
            Some("nat") => true,
            Some("filter") => false,
            _ => return Err(Errno::NOENT),
        };
        let at = fields.nested(m::NFTA_CHAIN_HOOK, 0)?.ok_or(Errno::INVAL)?;
        let number = |kind| at.must(kind).and_then(|value| big_number(value).map_err(|_| Errno::INVAL));
        let (hook, priority) = (number(m::NFTA_HOOK_HOOKNUM)?, number(m::NFTA_HOOK_PRIORITY)?.cast_signed());
        if self.chains.iter().any(|chain| chain.name == name) {
            return Ok(Vec::new());
        }
        if nat && (NAT_HOOKS & 1 << hook == 0 || priority <= PRIORITY_CONNTRACK) {
            return Err(Errno::OPNOTSUPP);
        }
        self.last_handle += 1;
        self.chains.push(Chain { name, nat, hook, rules: Vec::new() });
        Ok(Vec::new())
    }

    fn delete_chain(&mut self, fields: &Fields) -> Reply {
        let name = self.chain(fields)?.name.clone();
        if !self.chain(fields)?.rules.is_empty() {
            return Err(Errno::BUSY);
        }
        self.chains.retain(|chain| chain.name != name);
        Ok(Vec::new())
    }

    fn new_rule(&mut self, fields: &Fields, echo: bool) -> Reply {
        let expressions = fields.get(m::NFTA_RULE_EXPRESSIONS).unwrap_or_default();
        let chain = self.rule_chain(fields)?;
        check(chain, expressions)?;
        let userdata = fields.get(m::NFTA_RULE_USERDATA).unwrap_or_default().to_vec();
        let handle = self.last_handle + 1;
        let rule = Rule { handle, expressions: expressions.to_vec(), userdata };
        let told = rule.tell(self, chain);
        let name = chain.name.clone();
        let chain = self.chains.iter_mut().find(|chain| chain.name == name).ok_or(Errno::NOENT)?;
        chain.rules.push(rule);
        self.last_handle = handle;
        Ok(if echo { vec![told] } else { Vec::new() })
    }

    fn delete_rule(&mut self, fields: &Fields) -> Reply {
        let (handle, name) = (handle(fields)?, self.rule_chain(fields)?.name.clone());
        let chain = self.chains.iter_mut().find(|chain| chain.name == name).ok_or(Errno::NOENT)?;
        let position = chain.rules.iter().position(|rule| rule.handle == handle).ok_or(Errno::NOENT)?;
        chain.rules.remove(position);
        Ok(Vec::new())
    }

    fn tell(&self) -> Message {
        let used = u32::try_from(self.chains.len()).unwrap_or(u32::MAX);
        Message { body: inet().put_text(m::NFTA_TABLE_NAME, &self.name).put_big(m::NFTA_TABLE_USE, used).finish() }
    }

    fn tell_rules(&self) -> Vec<Message> {
        self.chains.iter().flat_map(|chain| chain.rules.iter().map(|rule| rule.tell(self, chain))).collect()
    }
}

impl Chain {
    fn tell(&self) -> Message {
        let used = u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        Message { body: inet().put_text(m::NFTA_CHAIN_NAME, &self.name).put_big(m::NFTA_CHAIN_USE, used).finish() }
    }
}

impl Rule {
    fn tell(&self, table: &Table, chain: &Chain) -> Message {
        let written = inet()
            .put_text(m::NFTA_RULE_TABLE, &table.name)
            .put_text(m::NFTA_RULE_CHAIN, &chain.name)
            .put(m::NFTA_RULE_HANDLE, &self.handle.to_be_bytes())
            .put(m::NFTA_RULE_EXPRESSIONS, &self.expressions)
            .put(m::NFTA_RULE_USERDATA, &self.userdata);
        Message { body: written.finish() }
    }
}

/// Translation is for chains of its own kind, each form of it at its hooks.
fn check(chain: &Chain, expressions: &[u8]) -> Result<(), Errno> {
    for expression in attributes(expressions) {
        let (_, expression) = expression.map_err(|_| Errno::INVAL)?;
        let fields = Fields::after(expression, 0)?;
        let hooks = match fields.text(NFTA_EXPR_NAME).as_deref() {
            Some("masq") => MASQUERADE_HOOKS,
            Some("nat") => {
                let kind = fields.nested(NFTA_EXPR_DATA, 0)?.ok_or(Errno::INVAL)?;
                let source = kind.must(NFTA_NAT_TYPE)?.iter().all(|byte| *byte == 0);
                if source { SOURCE_HOOKS } else { DESTINATION_HOOKS }
            }
            _ => continue,
        };
        if !chain.nat || hooks & 1 << chain.hook == 0 {
            return Err(Errno::OPNOTSUPP);
        }
    }
    Ok(())
}

fn handle(fields: &Fields) -> Result<u64, Errno> {
    fields.must(m::NFTA_RULE_HANDLE).and_then(|value| big_long(value).map_err(|_| Errno::INVAL))
}

fn inet() -> Writer {
    Writer::after(&[INET, 0, 0, 0])
}

/// The comment of a rule's user data, for people.
pub(super) fn remark(rule: &Rule) -> String {
    m::comment(&rule.userdata)
}

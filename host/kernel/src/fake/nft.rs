//! nftables of a namespace: tables of family inet with base chains and rules, changed in transactions (net/netfilter/nf_tables_api.c).

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::fake::fields::Fields;
use crate::fake::machine::Reply;
use crate::fake::nft_table::handle;
use crate::nft::{NFPROTO_BRIDGE, NFPROTO_INET, message as m};
use crate::transport::attribute::{Writer, big_number};
use crate::transport::socket::{Message, Request, flag};

/// The kernel's answer to a batch of an older generation.
const ERESTART: i32 = 85;
/// The tables, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Nft {
    pub generation: u32,
    pub tables: Vec<Table>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    pub family: u8,
    pub name: String,
    pub last_handle: u64,
    pub chains: Vec<Chain>,
    pub maps: Vec<Map>,
}

/// A map to chains: by their names, for each key as it came. Or a set, or a map to values: its keys with a byte for their flags behind them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Map {
    pub name: String,
    pub is_set: bool,
    /// Bytes of a key and, in a map to values, of one.
    pub bytes: (usize, usize),
    pub elements: BTreeMap<Vec<u8>, To>,
}

/// Where an element leads to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum To {
    Nowhere,
    Chain(String),
    Value(Vec<u8>),
}

impl To {
    pub fn is(&self, name: &str) -> bool {
        matches!(self, Self::Chain(chain) if chain == name)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chain {
    pub name: String,
    pub nat: bool,
    /// None: no base chain.
    pub hook: Option<u32>,
    pub rules: Vec<Rule>,
}

/// A rule. What it tests and does is kept as it came.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub handle: u64,
    pub expressions: Vec<u8>,
    pub userdata: Vec<u8>,
    /// The chains that it leads to.
    pub to: Vec<String>,
}

impl Nft {
    /// Answers questions; changes come as one transaction, between a begin and an end.
    pub fn exchange(&mut self, requests: &[Request]) -> Vec<Reply> {
        let is_batch = requests.first().is_some_and(|first| first.kind == m::NFNL_MSG_BATCH_BEGIN);
        if is_batch { self.transaction(requests) } else { requests.iter().map(|request| self.ask(request)).collect() }
    }

    fn transaction(&mut self, requests: &[Request]) -> Vec<Reply> {
        let begin = requests.first().map(|first| Fields::after(&first.body, m::HEADER));
        let wanted = begin.and_then(Result::ok).and_then(|fields| fields.get(m::NFNL_BATCH_GENID).map(big_number));
        if let Some(Ok(wanted)) = wanted
            && wanted != self.generation
        {
            let mut replies: Vec<Reply> = vec![Ok(Vec::new()); requests.len()];
            replies[0] = Err(Errno::from_raw_os_error(ERESTART));
            return replies;
        }
        let tried = |validates: bool| {
            let mut after = self.clone();
            let change = |request: &Request| match request.kind {
                m::NFNL_MSG_BATCH_BEGIN | m::NFNL_MSG_BATCH_END => Ok(Vec::new()),
                _ => after.change(request, validates),
            };
            let replies: Vec<Reply> = requests.iter().map(change).collect();
            (after, replies)
        };
        // Where rules fit is looked at when all else is right: then the kernel goes through the batch once more (NFT_VALIDATE_DO).
        let (mut after, mut replies) = tried(false);
        if replies.iter().all(Result::is_ok) {
            (after, replies) = tried(true);
        }
        if replies.iter().all(Result::is_ok) {
            after.generation = self.generation.wrapping_add(1);
            *self = after;
        }
        replies
    }

    fn change(&mut self, request: &Request, validates: bool) -> Reply {
        let fields = Fields::after(&request.body, m::HEADER)?;
        let name = fields.text(m::NFTA_TABLE_NAME).ok_or(Errno::INVAL)?;
        let family = fields.header_byte(0);
        let position = self.tables.iter().position(|table| table.family == family && table.name == name);
        match request.kind & 0xff {
            m::NFT_MSG_NEWTABLE if ![NFPROTO_INET, NFPROTO_BRIDGE].contains(&family) => Err(Errno::OPNOTSUPP),
            m::NFT_MSG_NEWTABLE => {
                if position.is_none() {
                    self.tables.push(Table { family, name, last_handle: 0, chains: Vec::new(), maps: Vec::new() });
                }
                Ok(Vec::new())
            }
            m::NFT_MSG_DELTABLE => {
                let is_used = |at: usize| {
                    self.tables.get(at).is_some_and(|table| !table.chains.is_empty() || !table.maps.is_empty())
                };
                if request.flags & flag::NOT_RECURSIVE != 0 && position.is_some_and(is_used) {
                    return Err(Errno::BUSY);
                }
                position.map(|at| drop(self.tables.remove(at))).map(|()| Vec::new()).ok_or(Errno::NOENT)
            }
            kind => {
                let table = position.and_then(|at| self.tables.get_mut(at)).ok_or(Errno::NOENT)?;
                match kind {
                    m::NFT_MSG_NEWCHAIN => table.new_chain(&fields, request.flags & flag::EXCL != 0),
                    m::NFT_MSG_DELCHAIN => table.delete_chain(&fields, request.flags & flag::NOT_RECURSIVE == 0),
                    m::NFT_MSG_NEWRULE => table.new_rule(&fields, request.flags & flag::ECHO != 0, validates),
                    m::NFT_MSG_NEWSET => table.new_set(&fields),
                    m::NFT_MSG_DELSET => table.delete_set(&fields),
                    m::NFT_MSG_NEWSETELEM => table.new_elements(&fields, request.flags & flag::EXCL != 0),
                    m::NFT_MSG_DELSETELEM => table.delete_elements(&fields),
                    m::NFT_MSG_DELRULE => table.delete_rule(&fields),
                    _ => Err(Errno::OPNOTSUPP),
                }
            }
        }
    }

    fn ask(&self, request: &Request) -> Reply {
        let fields = Fields::after(&request.body, m::HEADER)?;
        let family = fields.header_byte(0);
        let table = |name: &str| self.tables.iter().find(|table| table.family == family && table.name == name);
        // None: of all.
        let all = || self.tables.iter().filter(|table| family == 0 || table.family == family);
        let named = || table(&fields.text(m::NFTA_TABLE_NAME).unwrap_or_default()).ok_or(Errno::NOENT);
        let dump = request.flags & flag::DUMP == flag::DUMP;
        match request.kind & 0xff {
            m::NFT_MSG_GETGEN => Ok(vec![Message { body: inet().put_big(m::NFTA_GEN_ID, self.generation).finish() }]),
            m::NFT_MSG_GETTABLE if dump => Ok(all().map(Table::tell).collect()),
            m::NFT_MSG_GETTABLE => Ok(vec![named()?.tell()]),
            m::NFT_MSG_GETCHAIN if dump => Ok(all().flat_map(Table::tell_chains).collect()),
            m::NFT_MSG_GETCHAIN => {
                let table = named()?;
                table.chain(&fields).map(|chain| vec![chain.tell(table)])
            }
            m::NFT_MSG_GETRULE if dump && fields.text(m::NFTA_RULE_TABLE).is_none() => {
                Ok(all().flat_map(Table::tell_rules).collect())
            }
            m::NFT_MSG_GETRULE if dump => {
                let chain = fields.text(m::NFTA_RULE_CHAIN);
                Ok(named().map(|table| table.tell_rules_of(chain.as_deref())).unwrap_or_default())
            }
            m::NFT_MSG_GETSET if dump => Ok(named()?.tell_maps()),
            m::NFT_MSG_GETSETELEM if dump => Ok(named()?.map(&fields)?.tell_elements()),
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

pub(super) fn inet() -> Writer {
    of(NFPROTO_INET)
}

pub(super) fn of(family: u8) -> Writer {
    Writer::after(&[family, 0, 0, 0])
}

/// The comment of a rule's user data, for people.
pub(super) fn remark(rule: &Rule) -> String {
    m::comment(&rule.userdata)
}

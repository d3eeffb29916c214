//! The table `filter` of iptables-nft, which others own: reading it, and adding rules in the very form that iptables-nft gives them. It calls
//! a table with any other rule incompatible, and dockerd with it.

use std::collections::BTreeSet;

use rustix::io::Errno;

use crate::nft::dropping::refusing;
use crate::nft::expression::{
    Expressions, NF_ACCEPT, NFT_GOTO, NFT_JUMP, NFT_META_IIF, NFT_META_IIFNAME, NFT_META_OIF, NFT_META_OIFNAME,
    NFT_RETURN, NFTA_CMP_DATA, NFTA_CMP_OP, NFTA_DATA_VALUE, NFTA_DATA_VERDICT, NFTA_EXPR_DATA, NFTA_EXPR_NAME,
    NFTA_IMMEDIATE_DATA, NFTA_VERDICT_CODE, Test,
};
use crate::nft::message::{self, all, one};
use crate::nft::{NF_DROP, NFPROTO_IPV4, NFPROTO_IPV6, find, first_refusal, is_overtaken, list, transaction};
use crate::transport::attribute::{Writer, after, attributes, big_long, big_number, text};
use crate::transport::session::Session;
use crate::transport::socket::{Answer, Message, Protocol, Request, flag, malformed};
use crate::{
    Error, IptablesChain, IptablesChange, IptablesFamily, IptablesFilter, IptablesPlace, IptablesRule, IptablesRules,
    IptablesWay, LinkName, Namespace,
};

const TABLE: &str = "filter";
const NFTA_RULE_COMPAT: u16 = 5;
const NFTA_RULE_POSITION: u16 = 6;
const NFTA_RULE_COMPAT_PROTO: u16 = 1;
const NFTA_RULE_COMPAT_FLAGS: u16 = 2;
const NFTA_COUNTER_BYTES: u16 = 1;
const NFTA_COUNTER_PACKETS: u16 = 2;
const NFTA_META_KEY: u16 = 2;
const NFTA_MATCH_NAME: u16 = 1;
const NFTA_MATCH_REV: u16 = 2;
const NFTA_MATCH_INFO: u16 = 3;
/// XT_MAX_COMMENT_LEN of linux/netfilter/xt_comment.h, with the NUL.
const COMMENT_BYTES: usize = 256;

/// Reads the two chains. Where there is no such table, or no nftables: none.
pub(in super::super) fn read(session: &mut Session, family: IptablesFamily) -> Result<IptablesFilter, Error> {
    let chains = [IptablesChain::Forward, IptablesChain::DockerUser];
    let mut questions = vec![message::get_generation()];
    questions.extend(chains.map(|chain| one(message::NFT_MSG_GETCHAIN, 0, chain_body(family, chain))));
    let answers = match session.exchange_with(&Namespace::Host, Protocol::Netfilter, &questions) {
        Err(error) if error.errno == Some(Errno::PROTONOSUPPORT.raw_os_error()) => return Ok(IptablesFilter::default()),
        answers => answers?,
    };
    let [generation, forward, docker_user] = answers.as_slice() else { return Err(malformed()) };
    let Some(generation) = found(generation)? else { return Ok(IptablesFilter::default()) };
    let question = all(message::NFT_MSG_GETRULE, header(family).put_text(message::NFTA_RULE_TABLE, TABLE));
    let listed = list(session, &Namespace::Host, "the rules of iptables", question)?;
    Ok(IptablesFilter {
        generation: big_number(find(generation, message::NFTA_GEN_ID)?)?,
        forward: rules(&listed, family, IptablesChain::Forward, found(forward)?)?,
        docker_user: rules(&listed, family, IptablesChain::DockerUser, found(docker_user)?)?,
        protected: listed.iter().filter_map(protects).collect(),
    })
}

/// The link that a rule keeps packets from; see [`IptablesFilter::protected`]. A rule with an expression of a shape that isn't known here keeps nothing.
fn protects(message: &Message) -> Option<String> {
    let expressions = after(&message.body, message::HEADER).ok()?.find(message::NFTA_RULE_EXPRESSIONS).ok()??;
    let (mut link, mut is_name, mut keeps) = (None, false, false);
    for (_, expression) in attributes(expressions).flatten() {
        let value = |kind| attributes(expression).find(kind).ok().flatten().unwrap_or_default();
        let (name, data) = (text(value(NFTA_EXPR_NAME)), value(NFTA_EXPR_DATA));
        match name.as_str() {
            "cmp" if is_name => link = compared_name(data),
            "immediate" => keeps = verdict(data).is_some_and(|code| [NF_DROP, NFT_JUMP, NFT_GOTO].contains(&code)),
            _ => {}
        }
        is_name = name == "meta" && meta_key(data) == Some(NFT_META_OIFNAME);
    }
    link.filter(|_| keeps)
}

/// The whole name that is compared for equality: `br+` has no NUL at its end.
fn compared_name(data: &[u8]) -> Option<String> {
    let test = big_number(attributes(data).find(NFTA_CMP_OP).ok()??).ok()?;
    let value = attributes(attributes(data).find(NFTA_CMP_DATA).ok()??).find(NFTA_DATA_VALUE).ok()??;
    (test == Test::Equal as u32 && value.contains(&0)).then(|| text(value))
}

fn meta_key(data: &[u8]) -> Option<u32> {
    attributes(data).find(NFTA_META_KEY).ok().flatten().and_then(|key| big_number(key).ok())
}

/// The answer about one object; none: it isn't there.
fn found(answer: &Answer) -> Result<Option<&Message>, Error> {
    match answer {
        Ok(messages) => Ok(messages.first()),
        Err(refusal) if refusal.is(&[Errno::NOENT, Errno::INVAL, Errno::OPNOTSUPP]) => Ok(None),
        Err(refusal) => Err(Error::kernel("looking at iptables", refusal)),
    }
}

fn rules(
    listed: &[Message],
    family: IptablesFamily,
    chain: IptablesChain,
    found: Option<&Message>,
) -> Result<Option<IptablesRules>, Error> {
    let Some(found) = found else { return Ok(None) };
    let policy = after(&found.body, message::HEADER)?.find(message::NFTA_CHAIN_POLICY)?.map(big_number).transpose()?;
    let refusing = refusing(listed, family == IptablesFamily::Ipv6)?;
    let of_chain =
        |message: &&Message| find(message, message::NFTA_RULE_CHAIN).is_ok_and(|name| text(name) == chain.name());
    let rules: Vec<IptablesRule> =
        listed.iter().filter(of_chain).map(|message| rule(message, &refusing)).collect::<Result<_, _>>()?;
    // The kernel counts a chain's rules and the jumps to it together.
    let used = big_number(find(found, message::NFTA_CHAIN_USE)?)? as usize > rules.len();
    Ok(Some(IptablesRules { drops: policy == Some(NF_DROP), used, rules }))
}

fn rule(message: &Message, refusing: &BTreeSet<u64>) -> Result<IptablesRule, Error> {
    let handle = big_long(find(message, message::NFTA_RULE_HANDLE)?)?;
    let expressions = after(&message.body, message::HEADER)?.find(message::NFTA_RULE_EXPRESSIONS)?;
    let mut rule = IptablesRule {
        handle,
        comment: String::new(),
        returns: false,
        by_index: false,
        refuses: refusing.contains(&handle),
    };
    let mut conditions = false;
    // A rule with an expression of a shape that isn't known here is some other rule.
    for (_, expression) in attributes(expressions.unwrap_or_default()).flatten() {
        let value = |kind| attributes(expression).find(kind).ok().flatten().unwrap_or_default();
        let (name, data) = (text(value(NFTA_EXPR_NAME)), value(NFTA_EXPR_DATA));
        match name.as_str() {
            "counter" => {}
            "match" if is_comment(data) => rule.comment = comment(data),
            "immediate" => rule.returns = verdict(data) == Some(NFT_RETURN),
            name => {
                conditions = true;
                rule.by_index |= name == "meta" && is_index(data);
            }
        }
    }
    rule.returns &= !conditions;
    Ok(rule)
}

fn is_comment(data: &[u8]) -> bool {
    attributes(data).find(NFTA_MATCH_NAME).is_ok_and(|name| name.map(text).as_deref() == Some("comment"))
}

fn is_index(data: &[u8]) -> bool {
    meta_key(data).is_some_and(|key| [NFT_META_IIF, NFT_META_OIF].contains(&key))
}

fn comment(data: &[u8]) -> String {
    attributes(data).find(NFTA_MATCH_INFO).ok().flatten().map(text).unwrap_or_default()
}

fn verdict(data: &[u8]) -> Option<u32> {
    let data = attributes(data).find(NFTA_IMMEDIATE_DATA).ok()??;
    let verdict = attributes(data).find(NFTA_DATA_VERDICT).ok()??;
    attributes(verdict).find(NFTA_VERDICT_CODE).ok()?.and_then(|code| big_number(code).ok())
}

/// Makes all changes or none; false: the nftables changed after `generation`.
pub(in super::super) fn change(
    session: &mut Session,
    family: IptablesFamily,
    generation: u32,
    changes: &[IptablesChange],
) -> Result<bool, Error> {
    let batch = changes.iter().map(|change| request(family, change)).collect::<Result<_, _>>()?;
    let answers = transaction(session, &Namespace::Host, batch, Some(generation))?;
    match first_refusal(&answers) {
        None => Ok(true),
        Some((_, refusal)) if is_overtaken(refusal) => Ok(false),
        Some((_, refusal)) => Err(Error::kernel(format_args!("changing {}", family.program()), refusal)),
    }
}

fn request(family: IptablesFamily, change: &IptablesChange) -> Result<Request, Error> {
    match change {
        IptablesChange::Remove(chain, handle) => {
            let body = rule_body(family, *chain).put(message::NFTA_RULE_HANDLE, &handle.to_be_bytes());
            Ok(one(message::NFT_MSG_DELRULE, 0, body))
        }
        IptablesChange::Accept { chain, place, link, index, way, comment } => {
            let body = rule_body(family, *chain)
                .nest(message::NFTA_RULE_EXPRESSIONS, accept(link, *index, *way, comment)?)
                .nest(NFTA_RULE_COMPAT, no_protocol());
            let (flags, body) = match place {
                IptablesPlace::First => (0, body),
                IptablesPlace::Before(handle) => (0, body.put(NFTA_RULE_POSITION, &handle.to_be_bytes())),
                IptablesPlace::Last => (message::NLM_F_APPEND, body),
            };
            Ok(one(message::NFT_MSG_NEWRULE, flag::CREATE | flags, body))
        }
    }
}

/// `-i LINK -m comment --comment COMMENT -j ACCEPT`. The name is compared with its NUL alone: without it, iptables-nft reads `LINK+`. The index
/// comes first: iptables-nft shows what it reads last, and of a link that is gone only the name is left.
fn accept(link: &LinkName, index: u32, way: IptablesWay, comment: &str) -> Result<Writer, Error> {
    let (input, output) = ((NFT_META_IIF, NFT_META_IIFNAME), (NFT_META_OIF, NFT_META_OIFNAME));
    let sides = match way {
        IptablesWay::From => vec![input],
        IptablesWay::To => vec![output],
        IptablesWay::Within => vec![input, output],
    };
    let name = [link.as_str().as_bytes(), &[0]].concat();
    if comment.len() >= COMMENT_BYTES {
        return Err(Error::refused(format!("iptables takes no comment of {} bytes", comment.len())));
    }
    let mut info = comment.as_bytes().to_vec();
    info.resize(COMMENT_BYTES, 0);
    let remark =
        Writer::default().put_text(NFTA_MATCH_NAME, "comment").put_big(NFTA_MATCH_REV, 0).put(NFTA_MATCH_INFO, &info);
    let counter = Writer::default().put(NFTA_COUNTER_BYTES, &[0; 8]).put(NFTA_COUNTER_PACKETS, &[0; 8]);
    let expressions = sides.into_iter().fold(Expressions::default(), |before, (by_index, by_name)| {
        let indexed = before.meta(by_index).compare(Test::Equal, &index.to_ne_bytes());
        indexed.meta(by_name).compare(Test::Equal, &name)
    });
    Ok(expressions.add("match", remark).add("counter", counter).code(NF_ACCEPT).written)
}

fn no_protocol() -> Writer {
    Writer::default().put_big(NFTA_RULE_COMPAT_PROTO, 0).put_big(NFTA_RULE_COMPAT_FLAGS, 0)
}

fn header(family: IptablesFamily) -> Writer {
    let family = match family {
        IptablesFamily::Ipv4 => NFPROTO_IPV4,
        IptablesFamily::Ipv6 => NFPROTO_IPV6,
    };
    Writer::after(&[family, 0, 0, 0])
}

fn chain_body(family: IptablesFamily, chain: IptablesChain) -> Writer {
    header(family).put_text(message::NFTA_CHAIN_TABLE, TABLE).put_text(message::NFTA_CHAIN_NAME, chain.name())
}

fn rule_body(family: IptablesFamily, chain: IptablesChain) -> Writer {
    header(family).put_text(message::NFTA_RULE_TABLE, TABLE).put_text(message::NFTA_RULE_CHAIN, chain.name())
}

//! What is in an nftables table: chains, and rules in them.

use rustix::io::Errno;

use crate::fake::fields::Fields;
use crate::fake::machine::Reply;
use crate::fake::nft::{Chain, Map, Rule, Table, of};
use crate::nft::expression::{
    NFTA_DATA_VERDICT, NFTA_EXPR_DATA, NFTA_EXPR_NAME, NFTA_IMMEDIATE_DATA, NFTA_LOOKUP_SET, NFTA_NAT_TYPE,
    NFTA_VERDICT_CHAIN, SET,
};
use crate::nft::message as m;
use crate::transport::attribute::{Writer, attributes, big_long, big_number};
use crate::transport::socket::Message;

/// NF_INET_*, as bits, that a NAT chain can be at: all but forward; and what each of its verdicts can.
const NAT_HOOKS: u32 = 0b11011;
const SOURCE_HOOKS: u32 = 1 << 4 | 1 << 1;
const DESTINATION_HOOKS: u32 = 1 | 1 << 3;
const MASQUERADE_HOOKS: u32 = 1 << 4;
/// Where packets can be rejected, and where the way is known that they will take.
const REJECT_HOOKS: u32 = 0b01111;
const ROUTE_HOOKS: u32 = 0b11100;
/// NF_IP_PRI_CONNTRACK: translation comes after it.
const PRIORITY_CONNTRACK: i32 = -200;
/// NFT_JUMP_STACK_SIZE: chains behind each other, the base chain included.
const JUMPS: usize = 16;

impl Table {
    pub fn chain(&self, fields: &Fields) -> Result<&Chain, Errno> {
        let name = fields.text(m::NFTA_CHAIN_NAME).ok_or(Errno::INVAL)?;
        self.chains.iter().find(|chain| chain.name == name).ok_or(Errno::NOENT)
    }

    pub fn rule_chain(&self, fields: &Fields) -> Result<&Chain, Errno> {
        let name = fields.text(m::NFTA_RULE_CHAIN).ok_or(Errno::INVAL)?;
        self.chains.iter().find(|chain| chain.name == name).ok_or(Errno::NOENT)
    }

    /// `only_new`: an error if it is there.
    pub fn new_chain(&mut self, fields: &Fields, only_new: bool) -> Reply {
        let name = fields.text(m::NFTA_CHAIN_NAME).ok_or(Errno::INVAL)?;
        if only_new && self.chain(fields).is_ok() {
            return Err(Errno::EXIST);
        }
        let Some(at) = fields.nested(m::NFTA_CHAIN_HOOK, 0)? else {
            if self.chains.iter().all(|chain| chain.name != name) {
                self.last_handle += 1;
                self.chains.push(Chain { name, nat: false, hook: None, rules: Vec::new() });
            }
            return Ok(Vec::new());
        };
        let nat = match fields.text(m::NFTA_CHAIN_TYPE).as_deref() {
            Some("nat") => true,
            Some("filter") => false,
            _ => return Err(Errno::NOENT),
        };
        let number = |kind| at.must(kind).and_then(|value| big_number(value).map_err(|_| Errno::INVAL));
        let (hook, priority) = (number(m::NFTA_HOOK_HOOKNUM)?, number(m::NFTA_HOOK_PRIORITY)?.cast_signed());
        if self.chains.iter().any(|chain| chain.name == name) {
            return Ok(Vec::new());
        }
        if nat && (NAT_HOOKS & 1 << hook == 0 || priority <= PRIORITY_CONNTRACK) {
            return Err(Errno::OPNOTSUPP);
        }
        self.last_handle += 1;
        self.chains.push(Chain { name, nat, hook: Some(hook), rules: Vec::new() });
        Ok(Vec::new())
    }

    pub fn delete_chain(&mut self, fields: &Fields, with_rules: bool) -> Reply {
        let chain = self.chain(fields)?;
        let name = chain.name.clone();
        if self.ways_to(&name) > 0 || !with_rules && !chain.rules.is_empty() {
            return Err(Errno::BUSY);
        }
        self.chains.retain(|chain| chain.name != name);
        Ok(Vec::new())
    }

    /// `validates`: what it does has to fit where it stands.
    pub fn new_rule(&mut self, fields: &Fields, echo: bool, validates: bool) -> Reply {
        let expressions = fields.get(m::NFTA_RULE_EXPRESSIONS).unwrap_or_default();
        let chain = self.rule_chain(fields)?;
        self.check_names(expressions)?;
        if validates && let Some(base) = self.base_of(chain) {
            check(base, expressions)?;
        }
        let userdata = fields.get(m::NFTA_RULE_USERDATA).unwrap_or_default().to_vec();
        let handle = self.last_handle + 1;
        let to: Vec<String> = led_to(expressions).collect();
        let leads = !to.is_empty();
        let rule = Rule { handle, expressions: expressions.to_vec(), userdata, to };
        let told = rule.tell(self, chain);
        let (name, is_behind) = (chain.name.clone(), leads || self.led_to(&chain.name) > 0);
        let chain = self.chains.iter_mut().find(|chain| chain.name == name).ok_or(Errno::NOENT)?;
        chain.rules.push(rule);
        self.last_handle = handle;
        if validates && is_behind {
            self.check_ways()?;
        }
        Ok(if echo { vec![told] } else { Vec::new() })
    }

    pub fn delete_rule(&mut self, fields: &Fields) -> Reply {
        let (handle, name) = (handle(fields)?, self.rule_chain(fields)?.name.clone());
        let chain = self.chains.iter_mut().find(|chain| chain.name == name).ok_or(Errno::NOENT)?;
        let position = chain.rules.iter().position(|rule| rule.handle == handle).ok_or(Errno::NOENT)?;
        chain.rules.remove(position);
        Ok(Vec::new())
    }

    pub fn tell(&self) -> Message {
        let used = u32::try_from(self.chains.len() + self.maps.len()).unwrap_or(u32::MAX);
        Message {
            body: of(self.family).put_text(m::NFTA_TABLE_NAME, &self.name).put_big(m::NFTA_TABLE_USE, used).finish(),
        }
    }

    pub fn tell_chains(&self) -> Vec<Message> {
        self.chains.iter().map(|chain| chain.tell(self)).collect()
    }

    pub fn tell_rules(&self) -> Vec<Message> {
        self.tell_rules_of(None)
    }

    /// Of one chain, or of all.
    pub fn tell_rules_of(&self, name: Option<&str>) -> Vec<Message> {
        let chains = self.chains.iter().filter(|chain| name.is_none_or(|name| chain.name == name));
        chains.flat_map(|chain| chain.rules.iter().map(|rule| rule.tell(self, chain))).collect()
    }

    /// How many rules lead to a chain.
    fn led_to(&self, chain: &str) -> usize {
        let rules = self.chains.iter().flat_map(|chain| &chain.rules);
        rules.flat_map(|rule| &rule.to).filter(|to| *to == chain).count()
    }

    /// How many elements of maps and rules lead to a chain.
    fn ways_to(&self, chain: &str) -> usize {
        self.led_to(chain) + self.maps.iter().flat_map(|map| map.elements.values()).filter(|to| to.is(chain)).count()
    }

    /// What rules that others lead to do has to fit where these stand, and no way is too long.
    fn check_ways(&self) -> Result<(), Errno> {
        self.chains.iter().filter(|base| base.hook.is_some()).try_for_each(|base| self.check_way(base, base, 0))
    }

    fn check_way(&self, base: &Chain, chain: &Chain, depth: usize) -> Result<(), Errno> {
        if depth == JUMPS {
            return Err(Errno::MLINK);
        }
        for rule in &chain.rules {
            check(base, &rule.expressions)?;
            for to in &rule.to {
                let to = self.chains.iter().find(|chain| chain.name == *to).ok_or(Errno::NOENT)?;
                self.check_way(base, to, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Sets and chains that a rule names are there, and it leads to no base chain.
    fn check_names(&self, expressions: &[u8]) -> Result<(), Errno> {
        let is_there = |name: &String| name == SET || self.maps.iter().any(|map| map.name == *name);
        if !looked_into(expressions).all(|name| is_there(&name)) {
            return Err(Errno::NOENT);
        }
        for to in led_to(expressions) {
            let to = self.chains.iter().find(|chain| chain.name == to).ok_or(Errno::NOENT)?;
            if to.hook.is_some() {
                return Err(Errno::OPNOTSUPP);
            }
        }
        Ok(())
    }

    fn base_of<'a>(&'a self, chain: &'a Chain) -> Option<&'a Chain> {
        if chain.hook.is_some() {
            return Some(chain);
        }
        let leads = |map: &&Map| map.elements.values().any(|to| to.is(&chain.name));
        let looks = |base: &&Chain, map: &Map| base.rules.iter().any(|rule| looks_into(&rule.expressions, &map.name));
        let maps: Vec<&Map> = self.maps.iter().filter(leads).collect();
        self.chains.iter().find(|base| maps.iter().any(|map| looks(base, map)))
    }
}

impl Chain {
    pub fn tell(&self, table: &Table) -> Message {
        let used = u32::try_from(self.rules.len() + table.ways_to(&self.name)).unwrap_or(u32::MAX);
        let written =
            of(table.family).put_text(m::NFTA_CHAIN_TABLE, &table.name).put_text(m::NFTA_CHAIN_NAME, &self.name);
        let written = match self.hook {
            Some(hook) => written
                .nest(m::NFTA_CHAIN_HOOK, Writer::default().put_big(m::NFTA_HOOK_HOOKNUM, hook))
                .put_big(m::NFTA_CHAIN_POLICY, m::NF_ACCEPT),
            None => written,
        };
        Message { body: written.put_big(m::NFTA_CHAIN_USE, used).finish() }
    }
}

impl Rule {
    pub fn tell(&self, table: &Table, chain: &Chain) -> Message {
        let written = of(table.family)
            .put_text(m::NFTA_RULE_TABLE, &table.name)
            .put_text(m::NFTA_RULE_CHAIN, &chain.name)
            .put(m::NFTA_RULE_HANDLE, &self.handle.to_be_bytes())
            .put(m::NFTA_RULE_EXPRESSIONS, &self.expressions)
            .put(m::NFTA_RULE_USERDATA, &self.userdata);
        Message { body: written.finish() }
    }
}

/// Whether a rule looks into a map.
pub(super) fn looks_into(expressions: &[u8], map: &str) -> bool {
    looked_into(expressions).any(|name| name == map)
}

/// The maps and sets that a rule looks into.
fn looked_into(expressions: &[u8]) -> impl Iterator<Item = String> {
    attributes(expressions).flatten().filter_map(|(_, expression)| {
        let fields = Fields::after(expression, 0).ok()?;
        fields.text(NFTA_EXPR_NAME).filter(|name| name == "lookup")?;
        fields.nested(NFTA_EXPR_DATA, 0).ok().flatten()?.text(NFTA_LOOKUP_SET)
    })
}

/// The chains that a rule leads to.
fn led_to(expressions: &[u8]) -> impl Iterator<Item = String> {
    attributes(expressions).flatten().filter_map(|(_, expression)| {
        let fields = Fields::after(expression, 0).ok()?;
        fields.text(NFTA_EXPR_NAME).filter(|name| name == "immediate")?;
        let data = fields.nested(NFTA_EXPR_DATA, 0).ok().flatten()?.nested(NFTA_IMMEDIATE_DATA, 0).ok().flatten()?;
        data.nested(NFTA_DATA_VERDICT, 0).ok().flatten()?.text(NFTA_VERDICT_CHAIN)
    })
}

/// Translation is for chains of its own kind, each form of it at its hooks. A chain that others lead to has theirs.
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
            Some("reject") => {
                check_hook(chain, REJECT_HOOKS)?;
                continue;
            }
            Some("rt") => {
                check_hook(chain, ROUTE_HOOKS)?;
                continue;
            }
            _ => continue,
        };
        if !chain.nat || chain.hook.is_none_or(|hook| hooks & 1 << hook == 0) {
            return Err(Errno::OPNOTSUPP);
        }
    }
    Ok(())
}

fn check_hook(chain: &Chain, hooks: u32) -> Result<(), Errno> {
    if chain.hook.is_some_and(|hook| hooks & 1 << hook == 0) { Err(Errno::OPNOTSUPP) } else { Ok(()) }
}

pub(super) fn handle(fields: &Fields) -> Result<u64, Errno> {
    fields.must(m::NFTA_RULE_HANDLE).and_then(|value| big_long(value).map_err(|_| Errno::INVAL))
}

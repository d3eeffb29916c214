//! Policy rules of a namespace (net/core/fib_rules.c).

use std::net::IpAddr;

use ipnet::IpNet;
use rustix::io::Errno;

use crate::fake::fields::{Fields, octets};
use crate::fake::machine::{Machine, Reply, SpaceId};
use crate::fake::{AF_INET, AF_INET6};
use crate::ip::rule::{
    FRA_DST, FRA_FWMARK, FRA_FWMASK, FRA_IIFNAME, FRA_PRIORITY, FRA_PROTOCOL, FRA_SRC, FRA_TABLE, HEADER,
};
use crate::transport::attribute::Writer;
use crate::transport::socket::Message;

/// The tables that are asked beside the rules that were added: local, main, default, by their rules' priorities.
const OWN: [(u32, u32); 3] = [(0, 255), (32_766, 254), (32_767, 253)];

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub family: u8,
    pub priority: u32,
    pub source: Option<IpNet>,
    pub destination: Option<IpNet>,
    pub input: Option<String>,
    pub mark: u32,
    pub mask: u32,
    pub table: u32,
    pub protocol: u8,
}

impl Machine {
    pub fn rule_new(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let line = parse(body)?;
        let space = self.spaces.get_mut(&at).ok_or(Errno::NODEV)?;
        if space.rules.iter().any(|other| is_same(other, &line)) {
            return Err(Errno::EXIST);
        }
        let position = space.rules.iter().position(|other| other.priority > line.priority);
        space.rules.insert(position.unwrap_or(space.rules.len()), line);
        Ok(Vec::new())
    }

    pub fn rule_delete(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let wanted = parse(body)?;
        let space = self.spaces.get_mut(&at).ok_or(Errno::NODEV)?;
        let position = space.rules.iter().position(|line| is_meant(line, &wanted)).ok_or(Errno::NOENT)?;
        space.rules.remove(position);
        Ok(Vec::new())
    }

    pub fn rule_list(&self, at: SpaceId, body: &[u8]) -> Reply {
        let family = body.first().copied().unwrap_or(0);
        let rules = self.spaces.get(&at).into_iter().flat_map(|space| &space.rules);
        Ok(rules.filter(|line| line.family == family).map(tell).collect())
    }

    /// The tables that a packet of this machine to an address is looked up in, in order.
    pub fn tables(&self, at: SpaceId, to: IpAddr) -> Vec<u32> {
        let family = if to.is_ipv4() { AF_INET } else { AF_INET6 };
        let rules = self.spaces.get(&at).into_iter().flat_map(|space| &space.rules);
        let matching =
            rules.filter(|line| line.family == family && line.fits(to)).map(|line| (line.priority, line.table));
        let mut tables: Vec<(u32, u32)> = OWN.into_iter().chain(matching).collect();
        tables.sort_by_key(|(priority, _)| *priority);
        tables.into_iter().map(|(_, table)| table).collect()
    }
}

impl Line {
    /// A packet without source and mark, as the kernel asks for a gateway.
    fn fits(&self, to: IpAddr) -> bool {
        let anywhere = |net: &Option<IpNet>| net.is_none_or(|net| net.prefix_len() == 0);
        let input = self.input.as_deref().is_none_or(|name| name == "lo" && to.is_ipv4());
        anywhere(&self.source)
            && self.destination.is_none_or(|net| net.contains(&to))
            && input
            && self.mark & self.mask == 0
    }
}

/// rule_exists: what is not said of the new one is not compared in addresses, and always in the rest.
fn is_same(other: &Line, new: &Line) -> bool {
    (other.family, other.table, other.priority, &other.input) == (new.family, new.table, new.priority, &new.input)
        && (other.mark, other.mask) == (new.mark, new.mask)
        && covers(new.source, other.source)
        && covers(new.destination, other.destination)
}

/// rule_find: what is not said is not compared.
fn is_meant(line: &Line, wanted: &Line) -> bool {
    (line.family, line.table, line.priority, line.protocol)
        == (wanted.family, wanted.table, wanted.priority, wanted.protocol)
        && (wanted.input.is_none() || wanted.input == line.input)
        && (wanted.mark == 0 || wanted.mark == line.mark)
        && (wanted.mask == 0 || wanted.mask == line.mask)
        && covers(wanted.source, line.source)
        && covers(wanted.destination, line.destination)
}

fn covers(wanted: Option<IpNet>, there: Option<IpNet>) -> bool {
    wanted.is_none_or(|net| net.prefix_len() == 0) || wanted == there
}

fn parse(body: &[u8]) -> Result<Line, Errno> {
    let fields = Fields::after(body, HEADER)?;
    let family = fields.header_byte(0);
    if ![AF_INET, AF_INET6].contains(&family) {
        return Err(Errno::AFNOSUPPORT);
    }
    let network = |kind, prefix| fields.network(kind, prefix).map(|net| net.filter(|net| net.prefix_len() > 0));
    let mark = fields.number(FRA_FWMARK)?.unwrap_or(0);
    Ok(Line {
        family,
        priority: fields.number(FRA_PRIORITY)?.ok_or(Errno::OPNOTSUPP)?,
        source: network(FRA_SRC, fields.header_byte(2))?,
        destination: network(FRA_DST, fields.header_byte(1))?,
        input: fields.text(FRA_IIFNAME),
        mark,
        mask: fields.number(FRA_FWMASK)?.unwrap_or(if mark == 0 { 0 } else { u32::MAX }),
        table: fields.number(FRA_TABLE)?.unwrap_or(u32::from(fields.header_byte(4))),
        protocol: fields.get(FRA_PROTOCOL).and_then(|value| value.first()).copied().unwrap_or(0),
    })
}

fn tell(line: &Line) -> Message {
    let prefix = |net: Option<IpNet>| net.map_or(0, |net| net.prefix_len());
    let table = u8::try_from(line.table).unwrap_or(252);
    let header = [line.family, prefix(line.destination), prefix(line.source), 0, table, 0, 0, 1, 0, 0, 0, 0];
    let mut written = Writer::after(&header)
        .put(FRA_TABLE, &line.table.to_ne_bytes())
        .put(FRA_PRIORITY, &line.priority.to_ne_bytes())
        .put(FRA_PROTOCOL, &[line.protocol]);
    if let Some(name) = &line.input {
        written = written.put_text(FRA_IIFNAME, name);
    }
    if line.mark != 0 {
        written = written.put(FRA_FWMARK, &line.mark.to_ne_bytes());
    }
    if line.mark != 0 || line.mask != 0 {
        written = written.put(FRA_FWMASK, &line.mask.to_ne_bytes());
    }
    for (kind, net) in [(FRA_SRC, line.source), (FRA_DST, line.destination)] {
        if let Some(net) = net {
            written = written.put(kind, &octets(net.addr()));
        }
    }
    Message { body: written.finish() }
}

//! A packet rule as the machine has it: read from the bytes in a fake machine's text, and from `nft -j` on a real one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use kernel::LinkInfo;
use serde_json::Value;

/// A link in a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Named {
    ByName(String),
    ByIndex(u32),
}

impl Named {
    /// Whether this link is meant, by what it is called now.
    pub fn is(&self, info: &LinkInfo) -> bool {
        match self {
            Self::ByName(name) => info.name == *name,
            Self::ByIndex(index) => info.index == *index,
        }
    }
}

/// What a rule asks of a packet.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    In(Named),
    Out(Named),
    From(IpNet),
    To(IpNet),
    ToHost,
    Protocol(u8),
    ToPort(u16),
    Other,
}

impl Test {
    /// The link that a packet comes in by.
    pub fn input(&self) -> Option<&Named> {
        match self {
            Self::In(link) => Some(link),
            _ => None,
        }
    }

    /// The link that it leaves by.
    pub fn output(&self) -> Option<&Named> {
        match self {
            Self::Out(link) => Some(link),
            _ => None,
        }
    }
}

/// What it does then.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    Plain,
    Source(IpAddr),
    Destination(IpAddr),
    /// Where a map says: its elements are judged one by one.
    ByMap,
}

/// The comment of a rule that leads to those of one port each, and does nothing else.
pub const LEADS: &str = "rules for one port";

/// A rule, with its tests and whether each is negated.
#[derive(Clone, Debug)]
pub struct PacketRule {
    pub table: String,
    /// The name of the chain in which it stands.
    pub chain: String,
    pub hook: String,
    pub priority: i32,
    pub tests: Vec<(Test, bool)>,
    pub deed: Deed,
    pub beside: Beside,
    /// The chain that it leads to.
    pub leads: Option<String>,
    pub text: String,
}

/// What it does beside that.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Beside {
    /// The bits of marks that it sets.
    pub marks: u32,
    pub logs: bool,
    pub untracks: bool,
}

impl PacketRule {
    /// The tests that are not negated.
    pub fn plain(&self) -> impl Iterator<Item = &Test> {
        self.tests.iter().filter(|(_, negated)| !negated).map(|(test, _)| test)
    }

    /// All links that it speaks of.
    pub fn links(&self) -> impl Iterator<Item = &Named> {
        self.tests.iter().filter_map(|(test, _)| match test {
            Test::In(link) | Test::Out(link) => Some(link),
            _ => None,
        })
    }

    /// From a fake machine: `nft TABLE CHAIN REMARK [0a, 1b, …]`.
    pub fn of_fake(line: &str) -> Option<Self> {
        let (head, bytes) = line.strip_prefix("nft ")?.rsplit_once(" [")?;
        let mut words = head.split(' ');
        let (table, chain) = (words.next()?.to_owned(), words.next()?.to_owned());
        if head.ends_with(LEADS) {
            return None;
        }
        let (hook, priority) = hook_of(&chain)?;
        let bytes = bytes.trim_end_matches(']').split(", ").filter(|byte| !byte.is_empty());
        let bytes: Vec<u8> = bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        let (tests, deed, beside, leads) = Registers::default().read(&bytes);
        let text = format!("{head} {tests:?} {deed:?} {beside:?} {leads:?}");
        Some(Self { table, chain, hook, priority, tests, deed, beside, leads, text })
    }

    /// From `nft -j list ruleset`; `chains` are those that were listed before it.
    pub fn of_real(rule: &Value, chains: &[&Value]) -> Self {
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let same = |chain: &&&Value| {
            ["family", "table"].iter().all(|key| chain[*key] == rule[*key])
                && chain["name"] == base(rule["chain"].as_str().unwrap())
        };
        let chain = chains.iter().find(same).map_or(&Value::Null, |chain| *chain);
        let (mut tests, mut deed, mut beside, mut leads) = (Vec::new(), Deed::Plain, Beside::default(), None);
        let mut lost = u32::MAX;
        for part in rule["expr"].as_array().unwrap() {
            let address = |part: &Value| part["addr"].as_str().unwrap().parse().unwrap();
            match part.as_object().unwrap().iter().next().unwrap() {
                (key, part) if key == "match" => {
                    // `udp dport 53` says the protocol, too.
                    let implied = part["left"]["payload"]["protocol"].as_str().filter(|word| !word.starts_with("ip"));
                    tests.extend(
                        implied.map(|_| (Test::Protocol(protocol(&part["left"]["payload"]["protocol"])), false)),
                    );
                    tests.push(matched(part));
                    // What a mark from a map takes away, at most.
                    if part["left"]["&"][0]["meta"]["key"] == "mark" && part["right"] == 0 && part["op"] == "==" {
                        lost = part["left"]["&"][1].as_u64().map_or(lost, |mask| !u32::try_from(mask).unwrap());
                    }
                }
                (key, part) if key == "mangle" && part["value"]["map"].is_object() => beside.marks |= lost,
                (key, part) if key == "mangle" && part["key"]["meta"]["key"] == "mark" => {
                    let [none, all] = [0, u32::MAX].map(|mark| evaluated(&part["value"], mark));
                    // A bit that stays is what it was, whatever that is. All are set, where it is said otherwise.
                    beside.marks |= none.zip(all).map_or(u32::MAX, |(none, all)| none | !all);
                }
                (key, _) if key == "log" => beside.logs = true,
                (key, _) if key == "notrack" => beside.untracks = true,
                (key, part) if key == "jump" || key == "goto" => leads = Some(text(part, "target")),
                (key, part) if key == "snat" => deed = Deed::Source(address(part)),
                (key, part) if key == "dnat" && part["addr"].is_object() => deed = Deed::ByMap,
                (key, part) if key == "dnat" => deed = Deed::Destination(address(part)),
                _ => {}
            }
        }
        let number = chain["prio"].as_i64().and_then(|prio| i32::try_from(prio).ok());
        let name = text(rule, "chain");
        // The base chain of an own one is there with its first rule.
        let of_own = is_own(&name).then(|| hook_of(&name)).flatten();
        let (hook, priority) = of_own.unwrap_or_else(|| (text(chain, "hook"), number.unwrap_or_default()));
        Self {
            table: text(rule, "table"),
            chain: name,
            hook,
            priority,
            tests,
            deed,
            beside,
            leads,
            text: format!("{} {} {}", rule["table"], rule["chain"], uncounted(&rule["expr"])),
        }
    }
}

/// Without what counters say, which packets change.
fn uncounted(expressions: &Value) -> Value {
    let mut all = expressions.clone();
    for part in all.as_array_mut().into_iter().flatten() {
        part.as_object_mut()
            .and_then(|part| part.get_mut("counter"))
            .into_iter()
            .for_each(|count| *count = Value::Null);
    }
    all
}

/// The base chain of a chain: `nat-prerouting-dstnat/tcp-80` is behind `nat-prerouting-dstnat`.
pub fn base(chain: &str) -> &str {
    chain.split('/').next().unwrap()
}

/// Whether it is a driver's own chain: `filter-forward-0/own/policy`.
pub fn is_own(chain: &str) -> bool {
    chain.contains("/own/")
}

/// Hook and priority of a chain of Pontoon's, by its name.
pub fn hook_of(chain: &str) -> Option<(String, i32)> {
    let (_, at) = base(chain).split_once('-')?;
    let (hook, priority) = at.split_once('-')?;
    Some((hook.to_owned(), number_of(priority)))
}

/// The names that nft has for priorities.
fn number_of(priority: &str) -> i32 {
    match priority {
        "raw" => -300,
        "mangle" => -150,
        "dstnat" => -100,
        "security" => 50,
        "srcnat" => 100,
        number => number.parse().unwrap(),
    }
}

/// What an expression of nft's makes of a mark; none: nobody knows.
fn evaluated(value: &Value, mark: u32) -> Option<u32> {
    if let Some(number) = value.as_u64() {
        return u32::try_from(number).ok();
    }
    let (key, of) = value.as_object()?.iter().next()?;
    let mut parts = of.as_array().into_iter().flatten().map(|part| evaluated(part, mark));
    match key.as_str() {
        "meta" if of["key"] == "mark" => Some(mark),
        "&" => parts.try_fold(u32::MAX, |all, part| Some(all & part?)),
        "|" => parts.try_fold(0, |all, part| Some(all | part?)),
        "^" => parts.try_fold(0, |all, part| Some(all ^ part?)),
        _ => None,
    }
}

/// One `match` of nft's JSON.
fn matched(part: &Value) -> (Test, bool) {
    let (left, right) = (&part["left"], &part["right"]);
    let meta = left["meta"]["key"].as_str().unwrap_or_default();
    let link = || match right {
        Value::Number(index) => Named::ByIndex(u32::try_from(index.as_u64().unwrap()).unwrap()),
        name => {
            let name = name.as_str().unwrap_or_default();
            // The index of a link that is gone has no name, and nft writes it as one.
            let index = name.parse().ok().filter(|_| ["iif", "oif"].contains(&meta));
            index.map_or_else(|| Named::ByName(name.to_owned()), Named::ByIndex)
        }
    };
    let field = left["payload"]["field"].as_str().unwrap_or_default();
    let test = match (meta, field) {
        ("iifname" | "iif", _) => Test::In(link()),
        ("oifname" | "oif", _) => Test::Out(link()),
        ("l4proto", _) => Test::Protocol(protocol(right)),
        (_, "saddr") => net_of(right).map_or(Test::Other, Test::From),
        (_, "daddr") => net_of(right).map_or(Test::Other, Test::To),
        (_, "dport") => right.as_u64().map_or(Test::Other, |port| Test::ToPort(u16::try_from(port).unwrap())),
        _ if left["fib"]["result"] == "type" && right == "local" => Test::ToHost,
        _ => Test::Other,
    };
    (test, part["op"] != "==" && part["op"] != "in")
}

pub fn protocol(value: &Value) -> u8 {
    match value.as_str() {
        Some("tcp") => 6,
        Some("udp") => 17,
        Some("sctp") => 132,
        _ => value.as_u64().and_then(|number| u8::try_from(number).ok()).unwrap_or(0),
    }
}

fn net_of(value: &Value) -> Option<IpNet> {
    let whole = |text: &str| text.parse::<IpAddr>().ok().map(IpNet::from);
    match value.as_str() {
        Some(text) => whole(text),
        None => {
            let address = value["prefix"]["addr"].as_str()?.parse().ok()?;
            IpNet::new(address, u8::try_from(value["prefix"]["len"].as_u64()?).ok()?).ok()
        }
    }
}

/// What a register was loaded with, as far as it matters.
#[derive(Clone, Debug, Default)]
enum Loaded {
    #[default]
    Other,
    Meta(u32),
    Payload {
        base: u32,
        offset: u32,
    },
    ToType,
}

/// The state in which expressions are read, one after the other.
#[derive(Default)]
struct Registers {
    loaded: Loaded,
    mask: Option<Vec<u8>>,
    /// The last value that was put into a register for a translation.
    value: Vec<u8>,
    ipv6: bool,
    /// The bits of marks that others may have where the rule goes on; none: all.
    spared: Option<u32>,
    /// A map was looked up.
    mapped: bool,
}

impl Registers {
    fn read(mut self, list: &[u8]) -> (Vec<(Test, bool)>, Deed, Beside, Option<String>) {
        let (mut tests, mut deed, mut beside, mut leads) = (Vec::new(), Deed::Plain, Beside::default(), None);
        for (_, element) in parts(list) {
            let (name, data) = (text_of(element, 1), part(element, 2).unwrap_or_default());
            let number = |kind| part(data, kind).map_or(0, big);
            match name.as_str() {
                "lookup" => self.mapped |= part(data, 3).is_some(),
                "meta" if part(data, 3).is_some() && self.mapped => beside.marks |= self.spared.unwrap_or(u32::MAX),
                "meta" if part(data, 3).is_some() => {
                    let kept = self.mask.as_ref().and_then(|mask| mask.as_slice().try_into().ok());
                    beside.marks |= !kept.map_or(0, u32::from_ne_bytes);
                }
                "log" => beside.logs = true,
                "notrack" => beside.untracks = true,
                "meta" => self.load(Loaded::Meta(number(2))),
                "payload" => self.load(Loaded::Payload { base: number(2), offset: number(3) }),
                "fib" => self.load(Loaded::ToType),
                "ct" => self.load(Loaded::Other),
                "bitwise" => self.mask = part(data, 4).and_then(|mask| part(mask, 1)).map(<[u8]>::to_vec),
                "cmp" => tests.extend(self.compared(number(2), part(data, 3).and_then(|v| part(v, 1)).unwrap())),
                "range" => tests.push((Test::Other, true)),
                "immediate" => {
                    self.value.extend(part(data, 2).and_then(|v| part(v, 1)).unwrap_or_default());
                    let verdict = part(data, 2).and_then(|v| part(v, 2));
                    leads = verdict.filter(|verdict| part(verdict, 2).is_some()).map(|verdict| text_of(verdict, 2));
                }
                "nat" if number(1) == 0 => deed = Deed::Source(address_of(&self.value)),
                "nat" if self.mapped => deed = Deed::ByMap,
                "nat" => deed = Deed::Destination(address_of(&self.value)),
                _ => {}
            }
        }
        (tests, deed, beside, leads)
    }

    fn load(&mut self, loaded: Loaded) {
        (self.loaded, self.mask) = (loaded, None);
    }

    /// A comparison: 0 is equal, 1 is unequal.
    fn compared(&mut self, how: u32, value: &[u8]) -> Option<(Test, bool)> {
        let name = || Named::ByName(String::from_utf8_lossy(value).trim_end_matches('\0').to_owned());
        let index = || Named::ByIndex(u32::from_ne_bytes(value.try_into().unwrap()));
        if let (Loaded::Meta(3), Some(mask), [0, 0, 0, 0], 0) = (&self.loaded, &self.mask, value, how) {
            self.spared = Some(!u32::from_ne_bytes(mask.as_slice().try_into().unwrap()));
        }
        let test = match self.loaded {
            Loaded::Meta(4) => Test::In(index()),
            Loaded::Meta(5) => Test::Out(index()),
            Loaded::Meta(6) => Test::In(name()),
            Loaded::Meta(7) => Test::Out(name()),
            Loaded::Meta(15) => {
                self.ipv6 = value == [10];
                return None;
            }
            Loaded::Meta(16) => Test::Protocol(value[0]),
            Loaded::Payload { base: 1, offset: 12 } if !self.ipv6 => Test::From(self.net(value)),
            Loaded::Payload { base: 1, offset: 16 } if !self.ipv6 => Test::To(self.net(value)),
            Loaded::Payload { base: 1, offset: 8 } => Test::From(self.net(value)),
            Loaded::Payload { base: 1, offset: 24 } => Test::To(self.net(value)),
            Loaded::Payload { base: 2, offset: 2 } if how < 2 => {
                Test::ToPort(u16::from_be_bytes(value.try_into().unwrap()))
            }
            Loaded::ToType if value == 2u32.to_ne_bytes() => Test::ToHost,
            _ => Test::Other,
        };
        Some((test, how == 1))
    }

    /// Of a prefix of whole bytes only those are compared.
    fn net(&self, value: &[u8]) -> IpNet {
        let length = match &self.mask {
            Some(mask) => mask.iter().map(|byte| byte.count_ones()).sum(),
            None => value.len() as u32 * 8,
        };
        let mut whole = value.to_vec();
        whole.resize(if self.ipv6 { 16 } else { 4 }, 0);
        IpNet::new(address_of(&whole), u8::try_from(length).unwrap()).unwrap()
    }
}

/// Of an address, and a port behind it.
fn address_of(bytes: &[u8]) -> IpAddr {
    match bytes.len() {
        4 | 6 => Ipv4Addr::from(<[u8; 4]>::try_from(&bytes[..4]).unwrap()).into(),
        _ => Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[..16]).unwrap()).into(),
    }
}

/// Netlink's attributes.
fn parts(bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let (mut rest, mut found) = (bytes, Vec::new());
    while rest.len() >= 4 {
        let [length, kind] = [0, 2].map(|at| u16::from_ne_bytes([rest[at], rest[at + 1]]));
        let length = usize::from(length);
        found.push((kind & 0x3fff, &rest[4..length]));
        rest = &rest[length.next_multiple_of(4).min(rest.len())..];
    }
    found
}

fn part(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    parts(bytes).into_iter().find(|(found, _)| *found == kind).map(|(_, value)| value)
}

fn text_of(bytes: &[u8], kind: u16) -> String {
    String::from_utf8_lossy(part(bytes, kind).unwrap_or_default()).trim_end_matches('\0').to_owned()
}

fn big(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().unwrap())
}

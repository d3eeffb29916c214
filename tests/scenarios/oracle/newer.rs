//! Host calls that version 0.1.1 brought: rates, sets, packet rules with more in them, and tunnels. Beside these, `chains` and `options`.

use ask::links::{LinkEnd, LinkName, MacvlanOptions, UdpEndpoint, WireguardPeer};
use ask::nftables::{
    Action, Chain, ChainType, Condition, Element, Hook, HostPortTarget, MarkBits, MarkLookup, Member, NetworkMark,
    PacketCondition, PacketField, PacketLog, PacketProperty, PacketRule, PortRange, Property, Rate, RateUnit,
    Rejection, Rule, SegmentSize, SetKind, Statement, TcpFlags, TcpFlagsMatch,
};
use ask::types::{IpAddress, IpNetwork};
use ask::{Ask, Bytes, shaping};

use super::chance::Asking;

const SETS: [&str; 5] = ["s", "t", "p", "m", "k"];
/// What a peer's key can be.
const KEYS: [u8; 3] = [1, 2, 3];
const TCP: u8 = 6;

impl Asking<'_> {
    /// One of them.
    pub fn newer(&mut self) -> Ask {
        match self.random.u8(..32) {
            20..=25 => self.chain_call(),
            26..=29 => self.option(),
            30 | 31 => {
                let (parent, mode) = (self.parent(), self.macvlan_mode());
                Ask::LinksAddMacvtap { end: self.end(), options: MacvlanOptions { parent, mode } }
            }
            0..=3 => self.shape(),
            4..=8 => self.change_set(),
            9..=15 => Ask::NftablesAddPacketRules { namespace: self.place(), rules: vec![self.rule_with_more()] },
            _ => self.tunnel(),
        }
    }

    /// How fast a link sends or receives.
    fn shape(&mut self) -> Ask {
        match self.random.u8(..4) {
            0 => Ask::ShapingAddIfb { namespace: self.place(), name: self.name() },
            1 => Ask::ShapingRedirect { link: self.link(), through: self.maybe(80, Self::link) },
            _ => {
                let bytes_per_second = self.one(&[0, 125_000, 1 << 40]);
                let rate = shaping::Rate { bytes_per_second, burst: self.one(&[100, 70_000]) };
                Ask::ShapingSetRate { link: self.link(), rate: if self.percent(80) { Some(rate) } else { None } }
            }
        }
    }

    fn set_name(&mut self) -> String {
        self.one(&SETS).to_owned()
    }

    fn change_set(&mut self) -> Ask {
        let set = self.set_name();
        match self.random.u8(..8) {
            0..=2 => {
                // Mostly as their names say.
                let kind = match (set.as_str(), self.percent(90)) {
                    ("p", true) => SetKind::Ports,
                    ("m", true) => SetKind::Ipv4HostPorts,
                    ("k", true) => SetKind::Ipv4Marks,
                    (_, true) => SetKind::Ipv4,
                    (_, false) => SetKind::Ipv6,
                };
                Ask::NftablesAddSet { namespace: self.place(), name: set, kind }
            }
            3..=5 => Ask::NftablesAddElements { elements: self.elements(&set), set },
            6 => Ask::NftablesRemoveElements { elements: self.elements(&set), set },
            _ => Ask::NftablesRemoveSet { name: set },
        }
    }

    fn elements(&mut self, set: &str) -> Vec<Element> {
        match set {
            "p" => self.some(2, |a| Element::Ports(PortRange { first: a.port(), last: 9_000 })),
            "m" => self.some(2, |a| {
                let (protocol, port, address) = (a.one(&[6, 17]), a.port(), a.net().address);
                Element::HostPort(HostPortTarget { protocol, port, address, target_port: 80 })
            }),
            "k" => self.some(2, |a| Element::Mark(NetworkMark { network: a.net(), mark: a.one(&[0x100, 0x200, 1]) })),
            _ => self.some(2, |a| Element::Network(a.net())),
        }
    }

    /// A rule like any other, with more in it.
    fn rule_with_more(&mut self) -> PacketRule {
        let Rule { chain, conditions, verdict } = self.packet_rule();
        let plain =
            |Condition { property, negated }| PacketCondition { property: PacketProperty::Plain(property), negated };
        let mut all: Vec<_> = conditions.into_iter().map(plain).collect();
        all.extend(self.more_conditions());
        if self.percent(10) {
            let chain =
                Chain { chain_type: ChainType::Nat, hook: self.one(&[Hook::Prerouting, Hook::Output]), priority: -100 };
            let action = Action::DestinationNatBy(if self.percent(80) { "m".to_owned() } else { self.set_name() });
            return PacketRule { chain, conditions: all, statements: Vec::new(), action };
        }
        let action = match self.random.u8(..10) {
            0 => Action::Proceed,
            1 => Action::Reject(self.one(&[Rejection::PortUnreachable, Rejection::TcpReset])),
            2 => Action::Log(PacketLog { prefix: "seen".into(), rate: 3 }),
            _ => Action::Plain(verdict),
        };
        PacketRule { chain, conditions: all, statements: self.some(2, Self::statement), action }
    }

    fn more_conditions(&mut self) -> Vec<PacketCondition> {
        let holds = |property| PacketCondition { property, negated: false };
        let of_tcp = holds(PacketProperty::Plain(Property::Protocol(TCP)));
        let none = TcpFlags { fin: false, syn: false, rst: false, psh: false, ack: false, urg: false };
        match self.random.u8(..6) {
            0 | 1 => {
                let set = self.set_name();
                let field = match set.as_str() {
                    "p" => PacketField::DestinationPort,
                    _ => self.one(&[PacketField::Source, PacketField::Destination]),
                };
                vec![of_tcp, holds(PacketProperty::Member(Member { field, set }))]
            }
            2 => vec![holds(PacketProperty::Mark(MarkBits { value: 0x100, mask: 0x300 }))],
            3 => {
                let (set, mask) = (TcpFlags { syn: true, ..none }, TcpFlags { syn: true, ack: true, ..none });
                vec![of_tcp, holds(PacketProperty::TcpFlags(TcpFlagsMatch { set, mask }))]
            }
            _ => Vec::new(),
        }
    }

    fn statement(&mut self) -> Statement {
        let mark = |value, mask| Statement::SetMark(MarkBits { value, mask });
        match self.random.u8(..8) {
            7 => {
                let field = self.one(&[PacketField::Source, PacketField::Destination]);
                Statement::SetMarkBy(MarkLookup { field, set: "k".into(), mask: self.one(&[0, 0x300, u32::MAX]) })
            }
            0 | 1 => Statement::Counter,
            2 => Statement::Limit(Rate { amount: 10, unit: RateUnit::Packets, burst: 5, over: self.percent(50) }),
            3 => self.one(&[mark(0x100, 0x300), mark(0, 0xff00), mark(0xff00, 0xff00)]),
            4 => self.one(&[mark(1, 1), mark(0, u32::MAX)]),
            5 => Statement::ClampSegmentSize(SegmentSize::Exact(1_000)),
            _ => Statement::Untrack,
        }
    }

    /// A tunnel, or what is at its other end.
    fn tunnel(&mut self) -> Ask {
        match self.random.u8(..4) {
            0 | 1 => {
                let LinkEnd { addresses, mtu, up, .. } = self.end();
                let (name, namespace) = (LinkName::Exact(self.name()), self.maybe(10, Self::place).flatten());
                let end = LinkEnd { namespace, name, mac_address: None, mtu, master: None, addresses, up };
                Ask::LinksAddWireguard { end, port: self.one(&[53, 51_820, 51_821]) }
            }
            2 => Ask::LinksSetPeers { link: self.link(), peers: self.some(2, Self::peer) },
            _ => Ask::LinksRemovePeers { link: self.link(), keys: vec![self.key()] },
        }
    }

    fn key(&mut self) -> Bytes {
        Bytes(vec![self.one(&KEYS); 32])
    }

    fn peer(&mut self) -> WireguardPeer {
        let address = IpAddress::Ipv4((192, 168, 1, 7));
        WireguardPeer {
            public_key: self.key(),
            endpoint: self.maybe(50, |_| UdpEndpoint { address, port: 51_820 }),
            allowed: self.some(2, Self::net).into_iter().collect::<Vec<IpNetwork>>(),
            keepalive: None,
        }
    }
}

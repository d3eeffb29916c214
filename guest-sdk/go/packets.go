package pontoon

import (
	"net/netip"

	"pontoon.internal/sdk/bindings/pontoon_driver_nftables"
)

// SetKind says what is in a set.
type SetKind uint8

const (
	SetOfIPv4  = SetKind(pontoon_driver_nftables.SetKindIpv4)
	SetOfIPv6  = SetKind(pontoon_driver_nftables.SetKindIpv6)
	SetOfPorts = SetKind(pontoon_driver_nftables.SetKindPorts)
	// Maps: from ports of the host to addresses and ports, for DestinationNATBy, and from networks to marks, for SetMarkBy.
	MapOfIPv4HostPorts = SetKind(pontoon_driver_nftables.SetKindIpv4HostPorts)
	MapOfIPv6HostPorts = SetKind(pontoon_driver_nftables.SetKindIpv6HostPorts)
	MapOfIPv4Marks     = SetKind(pontoon_driver_nftables.SetKindIpv4Marks)
	MapOfIPv6Marks     = SetKind(pontoon_driver_nftables.SetKindIpv6Marks)
)

// Element of a set: a network, or where that is left out the ports from First to Last. Of a map: a Protocol's port First, which leads To there,
// or a Network and its Mark.
type Element struct {
	Network     netip.Prefix
	First, Last uint16
	Protocol    uint8
	To          netip.AddrPort
	Mark        *uint32
}

func (e Element) wit() pontoon_driver_nftables.Element {
	if e.To.IsValid() {
		return pontoon_driver_nftables.MakeElementHostPort(pontoon_driver_nftables.HostPortTarget{
			Protocol: e.Protocol, Port: e.First, Address: witAddress(e.To.Addr()), TargetPort: e.To.Port(),
		})
	}
	if e.Mark != nil {
		mark := pontoon_driver_nftables.NetworkMark{Network: witNetwork(e.Network), Mark: *e.Mark}
		return pontoon_driver_nftables.MakeElementMark(mark)
	}
	if e.Network.IsValid() {
		return pontoon_driver_nftables.MakeElementNetwork(witNetwork(e.Network))
	}
	return pontoon_driver_nftables.MakeElementPorts(pontoon_driver_nftables.PortRange{First: e.First, Last: e.Last})
}

func fromElement(element pontoon_driver_nftables.Element) Element {
	switch element.Tag() {
	case pontoon_driver_nftables.ElementNetwork:
		return Element{Network: fromNetwork(element.Network())}
	case pontoon_driver_nftables.ElementHostPort:
		port := element.HostPort()
		to := netip.AddrPortFrom(fromAddress(port.Address), port.TargetPort)
		return Element{Protocol: port.Protocol, First: port.Port, Last: port.Port, To: to}
	case pontoon_driver_nftables.ElementMark:
		mark := element.Mark()
		return Element{Network: fromNetwork(mark.Network), Mark: &mark.Mark}
	}
	ports := element.Ports()
	return Element{First: ports.First, Last: ports.Last}
}

// AddSet makes an empty set, which belongs to the endpoint or network of the call. A namespace of nil is the host's.
func AddSet(name string, kind SetKind, namespace *Namespace) error {
	return do(pontoon_driver_nftables.AddSet(namespace.option(), name, uint8(kind)))
}

// RemoveSet removes a set that no rule looks into. It is fine if it is not there.
func RemoveSet(name string) error { return do(pontoon_driver_nftables.RemoveSet(name)) }

// ListSets gives the names of the network's sets.
func ListSets() ([]string, error) { return try(pontoon_driver_nftables.ListSets()) }

// AddElements adds to a set. What is added belongs to the endpoint or network of the call.
func AddElements(set string, elements ...Element) error {
	return do(pontoon_driver_nftables.AddElements(set, each(elements, Element.wit)))
}

// RemoveElements removes from a set. It is fine if some are not in it.
func RemoveElements(set string, elements ...Element) error {
	return do(pontoon_driver_nftables.RemoveElements(set, each(elements, Element.wit)))
}

// ListElements gives what is in a set.
func ListElements(set string) ([]Element, error) {
	return tryEach(pontoon_driver_nftables.ListElements(set), fromElement)
}

// PacketField is the part of a packet that a set is looked into for.
type PacketField uint8

const (
	FieldSource          = PacketField(pontoon_driver_nftables.PacketFieldSource)
	FieldDestination     = PacketField(pontoon_driver_nftables.PacketFieldDestination)
	FieldSourcePort      = PacketField(pontoon_driver_nftables.PacketFieldSourcePort)
	FieldDestinationPort = PacketField(pontoon_driver_nftables.PacketFieldDestinationPort)
)

// Flags of TCP, to be combined with |.
const (
	TCPFin = pontoon_driver_nftables.TcpFlagsFin
	TCPSyn = pontoon_driver_nftables.TcpFlagsSyn
	TCPRst = pontoon_driver_nftables.TcpFlagsRst
	TCPPsh = pontoon_driver_nftables.TcpFlagsPsh
	TCPAck = pontoon_driver_nftables.TcpFlagsAck
	TCPUrg = pontoon_driver_nftables.TcpFlagsUrg
)

// PacketProperty of a packet, for a PacketRule.
type PacketProperty struct {
	host pontoon_driver_nftables.PacketProperty
}

// Plain is a property that a Rule has, too.
func Plain(property Property) PacketProperty {
	return PacketProperty{pontoon_driver_nftables.MakePacketPropertyPlain(property.host)}
}

// InSet: a set has this part of the packet in it. One of ports needs a Protocol before it in the rule, as DestinationPort does.
func InSet(field PacketField, set string) PacketProperty {
	member := pontoon_driver_nftables.Member{Field: uint8(field), Set: set}
	return PacketProperty{pontoon_driver_nftables.MakePacketPropertyMember(member)}
}

// Mark: of the packet's mark, the bits of mask are these.
func Mark(value, mask uint32) PacketProperty {
	return PacketProperty{pontoon_driver_nftables.MakePacketPropertyMark(pontoon_driver_nftables.MarkBits{Value: value, Mask: mask})}
}

// TCPFlags: of the flags in mask, those in set are set and no others. It needs a Protocol of TCP before it in the rule.
func TCPFlags(set, mask uint8) PacketProperty {
	return PacketProperty{pontoon_driver_nftables.MakePacketPropertyTcpFlags(pontoon_driver_nftables.TcpFlagsMatch{Set: set, Mask: mask})}
}

// ICMPType is that of an ICMP message. It needs a Protocol of ICMP or ICMPv6 before it in the rule.
func ICMPType(number uint8) PacketProperty {
	return PacketProperty{pontoon_driver_nftables.MakePacketPropertyIcmpType(number)}
}

// Statement is what a rule does before its action.
type Statement struct {
	host pontoon_driver_nftables.Statement
}

// Statements without a value.
var (
	// Count packets and bytes: see ReadCounters. Once in a rule.
	Count = Statement{pontoon_driver_nftables.MakeStatementCounter()}
	// Untrack: the packet is in no connection. It is a permission of its own.
	Untrack = Statement{pontoon_driver_nftables.MakeStatementUntrack()}
)

// PacketRate is so much of all packets that come this far in the rule.
type PacketRate struct {
	// Amount is packets or, with OfBytes, bytes a second.
	Amount uint32
	// Burst is what may come at once beyond that.
	Burst   uint32
	OfBytes bool
	// Over: the rule goes on for what is beyond the rate, and ends for the rest.
	Over bool
}

// Limit: the rule goes on for packets up to this rate, and ends for the rest.
func Limit(rate PacketRate) Statement {
	unit := pontoon_driver_nftables.RateUnitPackets
	if rate.OfBytes {
		unit = pontoon_driver_nftables.RateUnitBytes
	}
	limit := pontoon_driver_nftables.Rate{Amount: rate.Amount, Unit: unit, Burst: rate.Burst, Over: rate.Over}
	return Statement{pontoon_driver_nftables.MakeStatementLimit(limit)}
}

// SetMark sets bits of the packet's mark. The grant names them.
func SetMark(value, mask uint32) Statement {
	return Statement{pontoon_driver_nftables.MakeStatementSetMark(pontoon_driver_nftables.MarkBits{Value: value, Mask: mask})}
}

// SetMarkBy: the packet's mark becomes what a map of marks has for the address, where it has no other bits than the mask's. The grant names those.
func SetMarkBy(field PacketField, table string, mask uint32) Statement {
	lookup := pontoon_driver_nftables.MarkLookup{Field: uint8(field), Set: table, Mask: mask}
	return Statement{pontoon_driver_nftables.MakeStatementSetMarkBy(lookup)}
}

// ClampSegmentSize makes the largest segment that a TCP connection is told no larger than so many bytes; 0: than the MTU of the route allows.
func ClampSegmentSize(size uint16) Statement {
	most := pontoon_driver_nftables.MakeSegmentSizeRoute()
	if size != 0 {
		most = pontoon_driver_nftables.MakeSegmentSizeExact(size)
	}
	return Statement{pontoon_driver_nftables.MakeStatementClampSegmentSize(most)}
}

// Rejection is what the sender of a packet is told.
type Rejection uint8

const (
	PortUnreachable = Rejection(pontoon_driver_nftables.RejectionPortUnreachable)
	HostUnreachable = Rejection(pontoon_driver_nftables.RejectionHostUnreachable)
	Prohibited      = Rejection(pontoon_driver_nftables.RejectionProhibited)
	// TCPReset needs a Protocol of TCP in the rule.
	TCPReset = Rejection(pontoon_driver_nftables.RejectionTcpReset)
)

// Action is what a PacketRule does last.
type Action struct {
	host pontoon_driver_nftables.Action
}

// Proceed: the packet goes on to the next rule.
var Proceed = Action{pontoon_driver_nftables.MakeActionProceed()}

// Then is a verdict that a Rule has, too.
func Then(verdict Verdict) Action {
	return Action{pontoon_driver_nftables.MakeActionPlain(verdict.host)}
}

// Reject drops the packet and tells its sender.
func Reject(rejection Rejection) Action {
	return Action{pontoon_driver_nftables.MakeActionReject(uint8(rejection))}
}

// DestinationNATBy: what comes to a port of the host that this map has goes where it says.
func DestinationNATBy(table string) Action {
	return Action{pontoon_driver_nftables.MakeActionDestinationNatBy(table)}
}

// LogPackets writes a line into the kernel's log, at most so many a second, and the packet goes on. It is a permission of its own.
func LogPackets(prefix string, rate uint32) Action {
	return Action{pontoon_driver_nftables.MakeActionLog(pontoon_driver_nftables.PacketLog{Prefix: prefix, Rate: rate})}
}

// PacketRule has more than a Rule: NewPacketRule(Forward, Proceed).When(Plain(InputLink(bridge)), InSet(FieldSource, "hosts")).And(Count).
type PacketRule struct {
	host pontoon_driver_nftables.PacketRule
}

// NewPacketRule is a rule without conditions and statements.
func NewPacketRule(chain Chain, action Action) PacketRule {
	return PacketRule{pontoon_driver_nftables.PacketRule{Chain: chain, Action: action.host}}
}

// When is the rule where these properties must hold, too.
func (r PacketRule) When(properties ...PacketProperty) PacketRule { return r.with(false, properties) }

// Unless is the rule where these properties must not hold.
func (r PacketRule) Unless(properties ...PacketProperty) PacketRule { return r.with(true, properties) }

// And is the rule that does these, too, in this order.
func (r PacketRule) And(statements ...Statement) PacketRule {
	all := append([]pontoon_driver_nftables.Statement(nil), r.host.Statements...)
	r.host.Statements = append(all, each(statements, func(one Statement) pontoon_driver_nftables.Statement { return one.host })...)
	return r
}

func (r PacketRule) with(negated bool, properties []PacketProperty) PacketRule {
	all := append([]pontoon_driver_nftables.PacketCondition(nil), r.host.Conditions...)
	for _, property := range properties {
		all = append(all, pontoon_driver_nftables.PacketCondition{Property: property.host, Negated: negated})
	}
	r.host.Conditions = all
	return r
}

// AddPacketRules adds rules at the ends of their chains, as AddRules does; RemoveRules is for these, too.
func AddPacketRules(rules []PacketRule, namespace *Namespace) ([]RuleID, error) {
	wit := each(rules, func(rule PacketRule) pontoon_driver_nftables.PacketRule { return rule.host })
	return try(pontoon_driver_nftables.AddPacketRules(namespace.option(), wit))
}

// Counter is what a rule has counted.
type Counter = pontoon_driver_nftables.Counter

// ReadCounters gives what rules of the network have counted; none for one without a counter.
func ReadCounters(ids []RuleID) ([]Option[Counter], error) {
	return try(pontoon_driver_nftables.ReadCounters(ids))
}

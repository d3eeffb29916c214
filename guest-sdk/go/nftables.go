package pontoon

import (
	"net/netip"

	"pontoon.internal/sdk/bindings/pontoon_driver_nftables"
)

// Chain is a base chain, its policy accept: one of those below, or with another hook or priority, which the grant has to name.
type Chain = pontoon_driver_nftables.Chain

// The chains that drivers need most.
var (
	// RawPrerouting is what comes in, before connection tracking.
	RawPrerouting = Chain{ChainType: pontoon_driver_nftables.ChainTypeFilter, Hook: pontoon_driver_nftables.HookPrerouting, Priority: -300}
	// Forward is what is forwarded.
	Forward = Chain{ChainType: pontoon_driver_nftables.ChainTypeFilter, Hook: pontoon_driver_nftables.HookForward, Priority: 0}
	// Output is what the host sends.
	Output = Chain{ChainType: pontoon_driver_nftables.ChainTypeFilter, Hook: pontoon_driver_nftables.HookOutput, Priority: 0}
	// NatPrerouting is for destinations of what comes in.
	NatPrerouting = Chain{ChainType: pontoon_driver_nftables.ChainTypeNat, Hook: pontoon_driver_nftables.HookPrerouting, Priority: -100}
	// NatOutput is for destinations of what the host sends.
	NatOutput = Chain{ChainType: pontoon_driver_nftables.ChainTypeNat, Hook: pontoon_driver_nftables.HookOutput, Priority: -100}
	// NatPostrouting is for sources of what goes out.
	NatPostrouting = Chain{ChainType: pontoon_driver_nftables.ChainTypeNat, Hook: pontoon_driver_nftables.HookPostrouting, Priority: 100}
)

// Property of a packet. One of addresses or ports holds only for packets of that family and protocol.
type Property struct {
	host pontoon_driver_nftables.Property
}

// Properties without a value.
var (
	// DestinationLocal: it goes to an address of this namespace (fib daddr type local).
	DestinationLocal = Property{pontoon_driver_nftables.MakePropertyDestinationLocal()}
	// DestinationTranslated: the connection's destination was translated (ct status dnat).
	DestinationTranslated = Property{pontoon_driver_nftables.MakePropertyDestinationTranslated()}
)

// InputLink: it came in by this link.
func InputLink(link *Link) Property {
	return Property{pontoon_driver_nftables.MakePropertyInputLink(link.host)}
}

// OutputLink: it leaves by this link.
func OutputLink(link *Link) Property {
	return Property{pontoon_driver_nftables.MakePropertyOutputLink(link.host)}
}

// Source: it comes from there.
func Source(network netip.Prefix) Property {
	return Property{pontoon_driver_nftables.MakePropertySource(witNetwork(network))}
}

// Destination: it goes there.
func Destination(network netip.Prefix) Property {
	return Property{pontoon_driver_nftables.MakePropertyDestination(witNetwork(network))}
}

// Protocol: the IP protocol's number is this.
func Protocol(protocol uint8) Property {
	return Property{pontoon_driver_nftables.MakePropertyProtocol(protocol)}
}

// SourcePort is from first to last. It needs a Protocol of TCP, UDP or SCTP before it in the rule.
func SourcePort(first, last uint16) Property {
	return Property{pontoon_driver_nftables.MakePropertySourcePort(pontoon_driver_nftables.PortRange{First: first, Last: last})}
}

// DestinationPort is from first to last. It needs a Protocol of TCP, UDP or SCTP before it in the rule.
func DestinationPort(first, last uint16) Property {
	return Property{pontoon_driver_nftables.MakePropertyDestinationPort(pontoon_driver_nftables.PortRange{First: first, Last: last})}
}

// States of a connection, to be combined with |.
const (
	ConnectionNew         = pontoon_driver_nftables.ConnectionStatesNew
	ConnectionEstablished = pontoon_driver_nftables.ConnectionStatesEstablished
	ConnectionRelated     = pontoon_driver_nftables.ConnectionStatesRelated
	ConnectionInvalid     = pontoon_driver_nftables.ConnectionStatesInvalid
)

// Connection: its connection is in one of these states.
func Connection(states uint8) Property {
	return Property{pontoon_driver_nftables.MakePropertyConnection(states)}
}

// Verdict is what happens to a packet.
type Verdict struct {
	host pontoon_driver_nftables.Verdict
}

// Verdicts without a value.
var (
	// Accept: it passes this chain.
	Accept = Verdict{pontoon_driver_nftables.MakeVerdictAccept()}
	// Drop: it goes no further.
	Drop = Verdict{pontoon_driver_nftables.MakeVerdictDrop()}
	// Masquerade: its source becomes the address of the link that it leaves by.
	Masquerade = Verdict{pontoon_driver_nftables.MakeVerdictMasquerade()}
)

// SourceNat: its source becomes this; a port of 0 stays.
func SourceNat(address netip.Addr, port uint16) Verdict {
	return Verdict{pontoon_driver_nftables.MakeVerdictSourceNat(target(address, port))}
}

// DestinationNat: its destination becomes this, in one of the network's pools; a port of 0 stays.
func DestinationNat(address netip.Addr, port uint16) Verdict {
	return Verdict{pontoon_driver_nftables.MakeVerdictDestinationNat(target(address, port))}
}

func target(address netip.Addr, port uint16) pontoon_driver_nftables.Target {
	return pontoon_driver_nftables.Target{Address: witAddress(address), Port: nonZero(port)}
}

// Rule of a chain: NewRule(Forward, Drop).When(InputLink(bridge)).Unless(OutputLink(bridge)).
type Rule struct {
	host pontoon_driver_nftables.Rule
}

// NewRule is a rule without conditions.
func NewRule(chain Chain, verdict Verdict) Rule {
	return Rule{pontoon_driver_nftables.Rule{Chain: chain, Verdict: verdict.host}}
}

// When is the rule where these properties must hold, too.
func (r Rule) When(properties ...Property) Rule { return r.with(false, properties) }

// Unless is the rule where these properties must not hold.
func (r Rule) Unless(properties ...Property) Rule { return r.with(true, properties) }

func (r Rule) with(negated bool, properties []Property) Rule {
	conditions := append([]pontoon_driver_nftables.Condition(nil), r.host.Conditions...)
	for _, property := range properties {
		conditions = append(conditions, pontoon_driver_nftables.Condition{Property: property.host, Negated: negated})
	}
	r.host.Conditions = conditions
	return r
}

// RuleID names a rule; from then on the same, also after a restart, and never another one's.
type RuleID = pontoon_driver_nftables.RuleId

// AddRules adds rules at the ends of their chains. They belong to the endpoint or network of the call. A namespace of nil is the host's.
func AddRules(rules []Rule, namespace *Namespace) ([]RuleID, error) {
	wit := each(rules, func(rule Rule) pontoon_driver_nftables.Rule { return rule.host })
	return try(pontoon_driver_nftables.Add(namespace.option(), wit))
}

// RemoveRules removes rules. It is fine if some are not there.
func RemoveRules(ids []RuleID) error {
	return do(pontoon_driver_nftables.Remove(ids))
}

// ListRules gives the rules of the call's endpoint, or of its network where the call has no endpoint.
func ListRules() ([]RuleID, error) {
	return try(pontoon_driver_nftables.List())
}

package main

import (
	"net/netip"

	pontoon "pontoon.internal/sdk"
)

var (
	loopback = netip.MustParsePrefix("127.0.0.0/8")
	answers  = pontoon.Connection(pontoon.ConnectionEstablished | pontoon.ConnectionRelated)
)

// rulesOfNetwork are filter and translation of a whole network, to be added together. What a published port adds stands in ports.go.
func rulesOfNetwork(network *Network, bridge *pontoon.Link) []pontoon.Rule {
	in, out := pontoon.InputLink(bridge), pontoon.OutputLink(bridge)
	accept, drop := pontoon.NewRule(pontoon.Forward, pontoon.Accept), pontoon.NewRule(pontoon.Forward, pontoon.Drop)
	masquerade := pontoon.NewRule(pontoon.NatPostrouting, pontoon.Masquerade)
	var rules []pontoon.Rule
	if network.Internal {
		rules = append(rules, drop.When(in).Unless(out), drop.When(out).Unless(in))
	} else {
		// Into the network come answers and what was sent to a published port, and nothing else.
		rules = append(rules, accept.When(out, answers), accept.When(out, pontoon.DestinationTranslated), drop.When(out).Unless(in))
		for _, subnet := range network.subnets() {
			source, destination := pontoon.Source(subnet.Pool), pontoon.Destination(subnet.Pool)
			if network.Masquerade {
				rules = append(rules, masquerade.When(source).Unless(out))
			}
			// A container that uses a published port of its own network has to get its answer through the host as well.
			rules = append(rules, masquerade.When(source, destination, pontoon.DestinationTranslated))
		}
		if network.IPv4 != nil {
			// Ports that are published on 127.0.0.1: the container can't answer to that address, and must not send to it.
			toLoopback := pontoon.NewRule(pontoon.RawPrerouting, pontoon.Drop).When(in, pontoon.Destination(loopback))
			rules = append(rules, masquerade.When(pontoon.Source(loopback), out), toLoopback)
		}
	}
	if !network.ICC {
		// Ports are isolated, but a packet that is sent to the gateway would be routed back.
		rules = append(rules, drop.When(in, out))
	}
	return rules
}

// rulesOfPort: what is sent to a published port goes to the container, from outside and from the host itself.
func rulesOfPort(port Published) []pontoon.Rule {
	destination := pontoon.DestinationLocal
	if !port.HostAddress.IsUnspecified() {
		destination = pontoon.Destination(netip.PrefixFrom(port.HostAddress, port.HostAddress.BitLen()))
	}
	verdict := pontoon.DestinationNat(port.ContainerAddress, port.ContainerPort)
	var rules []pontoon.Rule
	for _, chain := range []pontoon.Chain{pontoon.NatPrerouting, pontoon.NatOutput} {
		conditions := []pontoon.Property{destination, pontoon.Protocol(port.Protocol), pontoon.DestinationPort(port.HostPort, port.HostPort)}
		rules = append(rules, pontoon.NewRule(chain, verdict).When(conditions...))
	}
	return rules
}

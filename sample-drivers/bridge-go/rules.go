package main

import (
	"net/netip"

	pontoon "pontoon.internal/sdk"
	links "pontoon.internal/sdk/bindings/pontoon_driver_links"
	nftables "pontoon.internal/sdk/bindings/pontoon_driver_nftables"
)

var (
	loopback = netip.MustParsePrefix("127.0.0.0/8")

	forward        = nftables.Chain{ChainType: nftables.ChainTypeFilter, Hook: nftables.HookForward, Priority: 0}
	rawPrerouting  = nftables.Chain{ChainType: nftables.ChainTypeFilter, Hook: nftables.HookPrerouting, Priority: -300}
	natPrerouting  = nftables.Chain{ChainType: nftables.ChainTypeNat, Hook: nftables.HookPrerouting, Priority: -100}
	natOutput      = nftables.Chain{ChainType: nftables.ChainTypeNat, Hook: nftables.HookOutput, Priority: -100}
	natPostrouting = nftables.Chain{ChainType: nftables.ChainTypeNat, Hook: nftables.HookPostrouting, Priority: 100}

	accept     = nftables.MakeVerdictAccept()
	drop       = nftables.MakeVerdictDrop()
	masquerade = nftables.MakeVerdictMasquerade()
	translated = is(nftables.MakePropertyDestinationTranslated())
	answers    = is(nftables.MakePropertyConnection(nftables.ConnectionStatesEstablished | nftables.ConnectionStatesRelated))
)

func is(property nftables.Property) nftables.Condition {
	return nftables.Condition{Property: property}
}

func not(condition nftables.Condition) nftables.Condition {
	return nftables.Condition{Property: condition.Property, Negated: true}
}

func from(network netip.Prefix) nftables.Condition {
	return is(nftables.MakePropertySource(pontoon.Network(network)))
}

func to(network netip.Prefix) nftables.Condition {
	return is(nftables.MakePropertyDestination(pontoon.Network(network)))
}

func rule(chain nftables.Chain, verdict nftables.Verdict, conditions ...nftables.Condition) nftables.Rule {
	return nftables.Rule{Chain: chain, Conditions: conditions, Verdict: verdict}
}

// rulesOfNetwork are filter and translation of a whole network, to be added together. What a published port adds stands in ports.go.
func rulesOfNetwork(network *Network, bridge *links.Link) []nftables.Rule {
	in, out := is(nftables.MakePropertyInputLink(bridge)), is(nftables.MakePropertyOutputLink(bridge))
	var rules []nftables.Rule
	if network.Internal {
		rules = append(rules, rule(forward, drop, in, not(out)), rule(forward, drop, out, not(in)))
	} else {
		// Into the network come answers and what was sent to a published port, and nothing else.
		rules = append(rules, rule(forward, accept, out, answers), rule(forward, accept, out, translated), rule(forward, drop, out, not(in)))
		for _, subnet := range network.subnets() {
			if network.Masquerade {
				rules = append(rules, rule(natPostrouting, masquerade, from(subnet.Pool), not(out)))
			}
			// A container that uses a published port of its own network has to get its answer through the host as well.
			rules = append(rules, rule(natPostrouting, masquerade, from(subnet.Pool), to(subnet.Pool), translated))
		}
		if network.IPv4 != nil {
			// Ports that are published on 127.0.0.1: the container can't answer to that address, and must not send to it.
			rules = append(rules, rule(natPostrouting, masquerade, from(loopback), out), rule(rawPrerouting, drop, in, to(loopback)))
		}
	}
	if !network.ICC {
		// Ports are isolated, but a packet that is sent to the gateway would be routed back.
		rules = append(rules, rule(forward, drop, in, out))
	}
	return rules
}

// rulesOfPort: what is sent to a published port goes to the container, from outside and from the host itself.
func rulesOfPort(port Published) []nftables.Rule {
	destination := is(nftables.MakePropertyDestinationLocal())
	if !port.HostAddress.IsUnspecified() {
		destination = to(netip.PrefixFrom(port.HostAddress, port.HostAddress.BitLen()))
	}
	target := nftables.Target{Address: pontoon.Address(port.ContainerAddress), Port: pontoon.Some(port.ContainerPort)}
	var rules []nftables.Rule
	for _, chain := range []nftables.Chain{natPrerouting, natOutput} {
		rules = append(rules, rule(chain, nftables.MakeVerdictDestinationNat(target),
			destination,
			is(nftables.MakePropertyProtocol(port.Protocol)),
			is(nftables.MakePropertyDestinationPort(nftables.PortRange{First: port.HostPort, Last: port.HostPort})),
		))
	}
	return rules
}

package main

import (
	"net/netip"
	"slices"

	pontoon "pontoon.internal/sdk"
)

// ruleLimit is how many rules the host takes at once.
const ruleLimit = 1000

// gateway says who is the container's gateway for a family.
type gateway int

const (
	missing gateway = iota
	own
	other // Another endpoint, which publishes the family's ports.
)

type gateways struct{ ipv4, ipv6 gateway }

func whose(id, endpoint string) gateway {
	switch id {
	case "":
		return missing
	case endpoint:
		return own
	default:
		return other
	}
}

func (g gateways) of(address netip.Addr) gateway {
	if address.Is4() {
		return g.ipv4
	}
	return g.ipv6
}

// Published is a port that is published, of one family. In the store it has short names: a thousand of them have to fit into one value.
type Published struct {
	Protocol uint8 `json:"p"`
	// HostAddress is where the host listens; unspecified: on all addresses of the family.
	HostAddress      netip.Addr `json:"h"`
	HostPort         uint16     `json:"i"`
	ContainerAddress netip.Addr `json:"c"`
	ContainerPort    uint16     `json:"d"`
}

// route leads from an address of the host to one of the container.
type route struct{ host, container netip.Addr }

// publish publishes these ports instead of those that were published before.
func publish(networkID, endpointID string, gateways gateways, bindings []pontoon.PortBinding) error {
	before, err := revoke(networkID, endpointID)
	if err != nil {
		return err
	}
	network, err := findNetwork(networkID)
	if err != nil {
		return err
	}
	endpoint, err := findEndpoint(networkID, endpointID)
	if err != nil || network.Internal {
		return err
	}
	var rules []pontoon.Rule
	for i := range bindings {
		routes, err := routesOf(&bindings[i], gateways, network, endpoint)
		if err != nil {
			return err
		}
		published, err := take(&bindings[i], routes, before)
		if err != nil {
			return err
		}
		for _, port := range published {
			rules = append(rules, rulesOfPort(port)...)
		}
		endpoint.Published = append(endpoint.Published, published...)
	}
	for some := range slices.Chunk(rules, ruleLimit) {
		if _, err := pontoon.AddRules(some, nil); err != nil {
			return err
		}
	}
	return endpointKey(networkID, endpointID).Set(endpoint)
}

// revoke takes all ports back and says which they were. There is nothing to do for an endpoint without any, or for none.
func revoke(networkID, endpointID string) ([]Published, error) {
	key := endpointKey(networkID, endpointID)
	endpoint, err := key.Get()
	if err != nil || endpoint == nil || len(endpoint.Published) == 0 {
		return nil, err
	}
	rules, err := pontoon.ListRules() // An endpoint has no other rules.
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(rules, ruleLimit) {
		if err := pontoon.RemoveRules(some); err != nil {
			return nil, err
		}
	}
	published := endpoint.Published
	endpoint.Published = nil
	for _, port := range published {
		if err := pontoon.ReleasePort(port.Protocol, []netip.Addr{port.HostAddress}, port.HostPort); err != nil {
			return nil, err
		}
	}
	return published, key.Set(endpoint)
}

// routesOf says from where on the host to where in the container a binding leads, for each family that it has.
func routesOf(binding *pontoon.PortBinding, gateways gateways, network *Network, endpoint *Endpoint) ([]route, error) {
	wanted, target := binding.HostAddress, binding.ContainerAddress
	if !wanted.IsValid() {
		wanted = network.HostBinding
	}
	refuse := func(why string) ([]route, error) {
		port, protocol := binding.ContainerPort, protocolName(binding.Protocol)
		return nil, pontoon.Errorf(pontoon.InvalidArgument, "port %d/%s can't be published on %s: %s", port, protocol, wanted, why)
	}
	if wanted.IsValid() && gateways.of(wanted) == missing {
		return refuse("the container has no gateway of that family")
	}
	if wanted.Is6() && wanted.IsLoopback() {
		// It has no route_localnet for IPv6: a packet to ::1 is never sent elsewhere.
		return refuse("the kernel translates no packets to that address; use 127.0.0.1")
	}
	var routes []route
	for _, family := range []route{{netip.IPv4Unspecified(), endpoint.IPv4}, {netip.IPv6Unspecified(), endpoint.IPv6}} {
		fits := func(address netip.Addr) bool { return address.IsValid() && address.Is4() == family.host.Is4() }
		if fits(target) {
			family.container = target
		}
		if wanted.IsValid() && !fits(wanted) || !family.container.IsValid() || gateways.of(family.host) != own {
			continue
		}
		if wanted.IsValid() {
			family.host = wanted
		}
		routes = append(routes, family)
	}
	return routes, nil
}

// take takes a port of the host, the same one for all families of a binding.
func take(binding *pontoon.PortBinding, routes []route, before []Published) ([]Published, error) {
	if len(routes) == 0 {
		return nil, nil
	}
	addresses := make([]netip.Addr, 0, len(routes))
	for _, route := range routes {
		addresses = append(addresses, route.host)
	}
	port, err := takeOne(binding, addresses, before)
	if err != nil {
		return nil, err
	}
	published := make([]Published, 0, len(routes))
	for _, route := range routes {
		published = append(published, Published{binding.Protocol, route.host, port, route.container, binding.ContainerPort})
	}
	return published, nil
}

func takeOne(binding *pontoon.PortBinding, addresses []netip.Addr, before []Published) (uint16, error) {
	first, last := binding.HostPort, max(binding.HostPort, binding.HostPortEnd)
	// Where there is a choice, a port stays what it was when the gateways change.
	for _, old := range before {
		if old.Protocol != binding.Protocol || old.ContainerPort != binding.ContainerPort ||
			first != 0 && (old.HostPort < first || old.HostPort > last) {
			continue
		}
		port, err := pontoon.TakePort(binding.Protocol, addresses, old.HostPort, old.HostPort)
		if !pontoon.Is(err, pontoon.AlreadyExists) {
			return port, err
		}
	}
	return pontoon.TakePort(binding.Protocol, addresses, first, last)
}

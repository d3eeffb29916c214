package main

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"

	pontoon "pontoon.internal/sdk"
)

// Network is what is remembered of a network.
type Network struct {
	// Bridge is the bridge's name.
	Bridge string
	// IPv4 and IPv6 are its subnets.
	IPv4, IPv6 *Subnet
	// Internal: it has no way out.
	Internal bool
	// See options.
	ICC, Masquerade bool
	HostBinding     netip.Addr
	MTU             uint32
	InterfacePrefix string
	// Rules are its own, without those of its endpoints.
	Rules []pontoon.RuleID
}

// Subnet of one family.
type Subnet struct {
	// Pool is where the containers' addresses are from.
	Pool netip.Prefix
	// Bridge is the bridge's own address, if it has one.
	Bridge netip.Prefix
	// Gateway is what containers are given, if there is one.
	Gateway netip.Addr
}

func networkKey(network string) pontoon.Key[Network] {
	return pontoon.Key[Network]{Name: "network/" + network, Version: version}
}

func bridgeKey(name string) pontoon.Key[string] {
	return pontoon.Key[string]{Name: "bridge/" + name, Version: version}
}

// findNetwork gives the network of this id, which must exist.
func findNetwork(network string) (*Network, error) {
	found, err := networkKey(network).Get()
	if err == nil && found == nil {
		err = pontoon.Errorf(pontoon.NotFound, "no network %s", network)
	}
	return found, err
}

// subnets of both families.
func (n *Network) subnets() []*Subnet {
	var subnets []*Subnet
	for _, subnet := range []*Subnet{n.IPv4, n.IPv6} {
		if subnet != nil {
			subnets = append(subnets, subnet)
		}
	}
	return subnets
}

func newNetwork(network string, asked *pontoon.NetworkOptions, ipv4, ipv6 []pontoon.IpamData) (*Network, error) {
	read, err := readOptions(asked.Generic)
	if err != nil {
		return nil, err
	}
	subnet4, err := subnet(ipv4, "DefaultGatewayIPv4")
	if err != nil {
		return nil, err
	}
	subnet6, err := subnet(ipv6, "DefaultGatewayIPv6")
	if err != nil {
		return nil, err
	}
	if subnet4 != nil && read.inhibitIPv4 {
		subnet4.Bridge = netip.Prefix{}
	}
	if read.name == "" {
		read.name = defaultName(network)
	}
	return &Network{
		Bridge: read.name, IPv4: subnet4, IPv6: subnet6, Internal: asked.Internal, ICC: read.icc, Masquerade: read.masquerade,
		HostBinding: read.hostBinding, MTU: read.mtu, InterfacePrefix: read.interfacePrefix,
	}, nil
}

// createNetwork makes a network. Whatever fails on the way, the host undoes what was done before.
func createNetwork(network string, asked *pontoon.NetworkOptions, ipv4, ipv6 []pontoon.IpamData) error {
	made, err := newNetwork(network, asked, ipv4, ipv6)
	if err != nil {
		return err
	}
	if err := checkConflicts(network, made); err != nil {
		return err
	}
	bridge, err := addBridge(made)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", made.Bridge, err)
	}
	made.Rules, err = pontoon.AddRules(rulesOfNetwork(made, bridge), nil)
	if err != nil {
		return err
	}
	if err := bridgeKey(made.Bridge).Set(&network); err != nil {
		return err
	}
	return networkKey(network).Set(made)
}

// deleteNetwork removes a network. There is nothing to do for one that is not there.
func deleteNetwork(network string) error {
	old, err := networkKey(network).Take()
	if err != nil || old == nil {
		return err
	}
	if err := pontoon.RemoveRules(old.Rules); err != nil {
		return err
	}
	if err := removeLink(old.Bridge); err != nil {
		return err
	}
	return bridgeKey(old.Bridge).Remove()
}

// removeLink removes one of the driver's links on the host, if it is there.
func removeLink(name string) error {
	link, err := pontoon.GetLink(name, nil)
	if pontoon.Is(err, pontoon.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return link.Remove()
}

// defaultName is br- and twelve digits: of Docker's ids the first ones, of any other sort a hash's, because it may begin like its neighbours do.
func defaultName(network string) string {
	isNoDigit := func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }
	digits := network
	if len(network) < 32 || strings.ContainsFunc(network, isNoDigit) {
		digits = hash(network)
	}
	return "br-" + digits[:12]
}

// hash gives sixteen hexadecimal digits: short, and the same in every build.
func hash(text string) string {
	sum := fnv.New64a()
	sum.Write([]byte(text))
	return fmt.Sprintf("%016x", sum.Sum64())
}

// subnet of one family; nil if the network has not that family.
func subnet(pools []pontoon.IpamData, gatewayName string) (*Subnet, error) {
	switch {
	case len(pools) == 0:
		return nil, nil
	case len(pools) > 1:
		return nil, pontoon.Errorf(pontoon.Forbidden, "the bridge driver doesn't support several subnets of one family")
	case !pools[0].Pool.IsValid():
		return nil, pontoon.Errorf(pontoon.InvalidArgument, "the bridge driver needs an address pool")
	}
	bridge := pools[0].Gateway
	gateway := bridge.Addr()
	if reserved, ok := pools[0].AuxAddresses[gatewayName]; ok {
		gateway = reserved.Addr()
	}
	return &Subnet{Pool: pools[0].Pool.Masked(), Bridge: bridge, Gateway: gateway}, nil
}

// checkConflicts: no two networks have the same bridge. (That no two have overlapping subnets, the host sees to.) Should another network be
// made at the same time, the host sees that it changed what was read here, and runs the later call again.
func checkConflicts(network string, made *Network) error {
	there, err := networkKey(network).Get()
	if err != nil {
		return err
	}
	if there != nil {
		return pontoon.Errorf(pontoon.AlreadyExists, "network %s is there already", network)
	}
	owner, err := bridgeKey(made.Bridge).Get()
	if err != nil {
		return err
	}
	if owner != nil {
		return pontoon.Errorf(pontoon.Forbidden, "bridge %s belongs to network %s", made.Bridge, *owner)
	}
	return nil
}

func addBridge(network *Network) (*pontoon.Link, error) {
	end := pontoon.LinkEnd{
		Name: network.Bridge,
		// Without a MAC of its own, a bridge takes that of a port, and changes it when ports come and go.
		MacAddress: pontoon.RandomMacAddress(),
		MTU:        network.MTU,
		Up:         true,
	}
	for _, subnet := range network.subnets() {
		if subnet.Bridge.IsValid() {
			end.Addresses = append(end.Addresses, subnet.Bridge)
		}
	}
	bridge, err := pontoon.AddBridge(end)
	if err != nil {
		return nil, err
	}
	if err := setIPv6(bridge); err != nil || network.Internal {
		return bridge, err
	}
	if network.IPv4 != nil {
		// For ports that are published on 127.0.0.1; the rules keep the containers from the host's own services.
		if err := pontoon.SetLinkSysctl(bridge, pontoon.IPv4RouteLocalnet, 1); err != nil {
			return nil, err
		}
	}
	return bridge, pontoon.AllowForwarding(bridge, network.IPv4 != nil, network.IPv6 != nil)
}

// setIPv6: a container must not become the host's router (CVE-2020-13401). And the bridge's link-local address, whose MAC nobody else
// has, must not wait two seconds for a duplicate: until then the host could not ask for a container's MAC.
func setIPv6(bridge *pontoon.Link) error {
	const noEntry = 2
	for _, name := range []pontoon.LinkSysctl{pontoon.IPv6AcceptRa, pontoon.IPv6AcceptDad} {
		err := pontoon.SetLinkSysctl(bridge, name, 0)
		if pontoon.KernelErrno(err) == noEntry {
			return nil // A kernel without IPv6.
		}
		if err != nil {
			return err
		}
	}
	return nil
}

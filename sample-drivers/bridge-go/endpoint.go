package main

import (
	"fmt"
	"net"
	"net/netip"

	pontoon "pontoon.internal/sdk"
)

// Endpoint is what is remembered of an endpoint.
type Endpoint struct {
	// MacAddress is the container's.
	MacAddress net.HardwareAddr
	// IPv4 and IPv6 are the container's addresses, if it has them.
	IPv4, IPv6 netip.Addr
	// HostLink is the name of the link on the bridge.
	HostLink string
	// ContainerLink is the name of the container's link, where it was made.
	ContainerLink string
	// InSandbox: it was made in the container's namespace.
	InSandbox bool
	// InterfaceName is what the container's link is to be named, if the user chose it.
	InterfaceName string
	// ExposedPorts are those that the container serves.
	ExposedPorts []pontoon.TransportPort
	// Published are the ports that are published now.
	Published []Published
}

func endpointKey(network, endpoint string) pontoon.Key[Endpoint] {
	return pontoon.Key[Endpoint]{Name: "endpoint/" + network + "/" + endpoint, Version: version}
}

// findEndpoint gives the endpoint of this id, which must exist.
func findEndpoint(network, endpoint string) (*Endpoint, error) {
	found, err := endpointKey(network, endpoint).Get()
	if err == nil && found == nil {
		err = pontoon.Errorf(pontoon.NotFound, "no endpoint %s", endpoint)
	}
	return found, err
}

func createEndpoint(networkID, endpoint string, info *pontoon.InterfaceInfo, options *pontoon.EndpointOptions) error {
	key := endpointKey(networkID, endpoint)
	if there, err := key.Get(); err != nil {
		return err
	} else if there != nil {
		return pontoon.Errorf(pontoon.AlreadyExists, "endpoint %s is there already", endpoint)
	}
	mac, err := chooseMacAddress(info)
	if err != nil {
		return err
	}
	network, err := findNetwork(networkID)
	if err != nil {
		return err
	}
	sandbox := info.Sandbox()
	made := &Endpoint{
		MacAddress:   mac,
		IPv4:         info.Address().Addr(),
		IPv6:         info.AddressIPv6().Addr(),
		HostLink:     "veth" + hash(endpoint)[:10],
		InSandbox:    sandbox != nil,
		ExposedPorts: options.ExposedPorts,
	}
	made.InterfaceName = options.Generic[labelInterfaceName]
	container := pontoon.LinkEnd{Namespace: sandbox, Name: made.InterfaceName, Prefix: network.InterfacePrefix, MacAddress: mac, MTU: network.MTU}
	if !made.InSandbox {
		container.Name = made.HostLink + "c"
	}
	made.ContainerLink, err = addPair(network, made.HostLink, container)
	if err != nil {
		return fmt.Errorf("%s: %w", made.HostLink, err)
	}
	return key.Set(made)
}

// deleteEndpoint removes an endpoint. There is nothing to do for one that is not there.
func deleteEndpoint(network, endpoint string) error {
	if _, err := revoke(network, endpoint); err != nil {
		return err
	}
	old, err := endpointKey(network, endpoint).Take()
	if err != nil || old == nil {
		return err
	}
	return removeLink(old.HostLink)
}

// releaseIPv6 forgets the IPv6 address: the container can't use it.
func releaseIPv6(network, endpoint string) error {
	found, err := findEndpoint(network, endpoint)
	if err != nil {
		return err
	}
	found.IPv6 = netip.Addr{}
	return endpointKey(network, endpoint).Set(found)
}

// join says which link the container gets, and its gateways.
func join(networkID, endpointID string, info *pontoon.JoinInfo) error {
	network, err := findNetwork(networkID)
	if err != nil {
		return err
	}
	endpoint, err := findEndpoint(networkID, endpointID)
	if err != nil {
		return err
	}
	var place *pontoon.Namespace
	if endpoint.InSandbox {
		place = info.Sandbox()
	}
	link, err := pontoon.GetLink(endpoint.ContainerLink, place)
	if err != nil {
		return err
	}
	if err := info.SetNames(link, network.InterfacePrefix, endpoint.InterfaceName); err != nil || network.Internal {
		return err
	}
	for _, subnet := range network.subnets() {
		if !subnet.Gateway.IsValid() {
			continue
		}
		if err := info.SetGateway(subnet.Gateway); err != nil {
			return err
		}
	}
	return nil
}

// chooseMacAddress gives the user's MAC, or one that follows from the IPv4 address (02:42 and its bytes), as Docker gives them: when an address
// comes again with another container, its neighbours still know the way. A random one where there is no IPv4.
func chooseMacAddress(info *pontoon.InterfaceInfo) (net.HardwareAddr, error) {
	if mac := info.MacAddress(); mac != nil {
		return mac, nil
	}
	mac := pontoon.RandomMacAddress()
	if address := info.Address().Addr(); address.Is4() {
		mac = append(net.HardwareAddr{0x02, 0x42}, address.AsSlice()...)
	}
	return mac, info.SetMacAddress(mac)
}

// addPair makes the pair, one end on the bridge, and gives the name of the other back.
func addPair(network *Network, hostLink string, container pontoon.LinkEnd) (string, error) {
	bridge, err := pontoon.GetLink(network.Bridge, nil)
	if err != nil {
		return "", err
	}
	host := pontoon.LinkEnd{Name: hostLink, MTU: network.MTU, Master: bridge, Up: true}
	link, peer, err := pontoon.AddVeth(host, container)
	if err != nil {
		return "", err
	}
	// A container may reach itself through a port that it publishes.
	changes := pontoon.LinkChanges{Hairpin: pontoon.Some(true), Isolated: pontoon.Some(!network.ICC)}
	if err := link.Set(changes); err != nil {
		return "", err
	}
	info, err := peer.Info()
	return info.Name, err
}

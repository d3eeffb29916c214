package main

import (
	"fmt"
	"net"
	"net/netip"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
	pontoon "pontoon.internal/sdk"
	links "pontoon.internal/sdk/bindings/pontoon_driver_links"
	namespaces "pontoon.internal/sdk/bindings/pontoon_driver_namespaces"
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
	return pontoon.Key[Endpoint]("endpoint/" + network + "/" + endpoint)
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
		IPv4:         pontoon.FromNetworkOption(info.Address()).Addr(),
		IPv6:         pontoon.FromNetworkOption(info.AddressIpv6()).Addr(),
		HostLink:     "veth" + hash(endpoint)[:7],
		InSandbox:    sandbox.IsSome(),
		ExposedPorts: options.ExposedPorts,
	}
	made.InterfaceName, _ = pontoon.Text(options.Generic, labelInterfaceName)
	container := links.LinkEnd{
		Namespace:  sandbox,
		MacAddress: pontoon.Some(pontoon.MacAddress(mac)),
		Mtu:        pontoon.NonZero(network.MTU),
	}
	switch {
	case !made.InSandbox:
		container.Name = links.MakeLinkNameExact(made.HostLink + "c")
	case made.InterfaceName != "":
		container.Name = links.MakeLinkNameExact(made.InterfaceName)
	default:
		container.Name = links.MakeLinkNamePrefix(network.InterfacePrefix)
	}
	made.ContainerLink, err = addPair(network, made.HostLink, container)
	if err != nil {
		return fmt.Errorf("%s: %w", made.HostLink, err)
	}
	return key.Set(made)
}

// deleteEndpoint removes an endpoint. There is nothing to do for one that is not there.
func deleteEndpoint(network, endpoint string) error {
	if _, err := withdraw(network, endpoint); err != nil {
		return err
	}
	key := endpointKey(network, endpoint)
	old, err := key.Get()
	if err != nil || old == nil {
		return err
	}
	if err := key.Remove(); err != nil {
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
	place := pontoon.None[*namespaces.Namespace]()
	if endpoint.InSandbox {
		place = info.Sandbox()
	}
	link, err := pontoon.Try(links.Get(place, endpoint.ContainerLink))
	if err != nil {
		return err
	}
	name := pontoon.NonZero(endpoint.InterfaceName)
	if err := pontoon.Do(info.InterfaceName().SetNames(link, network.InterfacePrefix, name)); err != nil || network.Internal {
		return err
	}
	for _, subnet := range network.subnets() {
		if !subnet.Gateway.IsValid() {
			continue
		}
		if err := pontoon.Do(info.SetGateway(pontoon.Address(subnet.Gateway))); err != nil {
			return err
		}
	}
	return nil
}

// chooseMacAddress gives the user's MAC, or one that follows from the IPv4 address (02:42 and its bytes), as Docker gives them: when an address
// comes again with another container, its neighbours still know the way. A random one where there is no IPv4.
func chooseMacAddress(info *pontoon.InterfaceInfo) (net.HardwareAddr, error) {
	if mac := info.MacAddress(); mac.IsSome() {
		return pontoon.FromMacAddress(mac.Some()), nil
	}
	mac := pontoon.RandomMacAddress()
	if address := pontoon.FromNetworkOption(info.Address()).Addr(); address.Is4() {
		mac = append(net.HardwareAddr{0x02, 0x42}, address.AsSlice()...)
	}
	return mac, pontoon.Do(info.SetMacAddress(pontoon.MacAddress(mac)))
}

// addPair makes the pair, one end on the bridge, and gives the name of the other back.
func addPair(network *Network, hostLink string, container links.LinkEnd) (string, error) {
	bridge, err := getLink(network.Bridge)
	if err != nil {
		return "", err
	}
	host := links.LinkEnd{
		Name:   links.MakeLinkNameExact(hostLink),
		Mtu:    pontoon.NonZero(network.MTU),
		Master: pontoon.Some(bridge),
		Up:     true,
	}
	added, err := pontoon.Try(links.Add([]links.LinkSpec{{End: host, Kind: links.MakeLinkKindVeth(container)}}))
	if err != nil {
		return "", err
	}
	// A container may reach itself through a port that it publishes.
	changes := links.LinkChanges{Hairpin: pontoon.Some(true), Isolated: pontoon.Some(!network.ICC)}
	if err := pontoon.Do(added[0].Link.Set(changes)); err != nil {
		return "", err
	}
	return nameOf(added[0].Peer)
}

func nameOf(peer witTypes.Option[*links.Link]) (string, error) {
	if peer.IsNone() {
		return "", pontoon.Errorf(pontoon.Internal, "a pair without another end")
	}
	info, err := pontoon.Try(peer.Some().Info())
	return info.Name, err
}

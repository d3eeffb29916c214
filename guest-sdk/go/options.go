package pontoon

import (
	"net"
	"net/netip"

	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

// NetworkOptions is what the user asked of a network.
type NetworkOptions struct {
	// Generic are the user's own labels: -o KEY=VALUE, Docker's com.docker.network.generic.
	Generic map[string]string
	// IPv4 and IPv6 say whether the network has addresses of that family.
	IPv4, IPv6 bool
	// Internal: the network has no way out.
	Internal bool
	// Other is what else the front end was given, as JSON text by key. Ignore keys that you don't know.
	Other map[string]string
}

// IpamData is libnetwork's: one address pool of a network, and what is reserved in it.
type IpamData struct {
	// AddressSpace is the name of the address space that the pool is from, e.g. LocalDefault.
	AddressSpace string
	// Pool is invalid with the null address management: the driver chooses addresses itself.
	Pool netip.Prefix
	// Gateway is the gateway's address with the pool's prefix length; invalid if there is none.
	Gateway netip.Prefix
	// AuxAddresses are reserved addresses by name.
	AuxAddresses map[string]netip.Prefix
}

// EndpointOptions is what the user asked of an endpoint.
type EndpointOptions struct {
	// MacAddress is the MAC that the user asked for, or nil. It stands in InterfaceInfo, too.
	MacAddress net.HardwareAddr
	// ExposedPorts are the ports that the container serves.
	ExposedPorts []TransportPort
	// PortBindings are the ports that are to be published on the host.
	PortBindings []PortBinding
	// Generic are the user's own labels: Docker's --driver-opt KEY=VALUE.
	Generic map[string]string
	// Other is what else the front end was given, as JSON text by key.
	Other map[string]string
}

// TransportPort is a port of the transport layer.
type TransportPort = pontoon_driver_types.TransportPort

// PortBinding is a port that is to be published on the host.
type PortBinding struct {
	// Protocol is that of IP: TCP 6, UDP 17 or SCTP 132.
	Protocol uint8
	// ContainerAddress is the address in the container; invalid: the endpoint's.
	ContainerAddress netip.Addr
	ContainerPort    uint16
	// HostAddress is the address on the host; invalid: every address of both families.
	HostAddress netip.Addr
	// HostPort is the first port that will do; 0: any free one.
	HostPort uint16
	// HostPortEnd is the last port that will do; the same as HostPort or 0 where only one will.
	HostPortEnd uint16
}

// TableEvent is a changed table entry: a new one has no Previous, and one that is gone no Value.
type TableEvent struct {
	Previous, Value []byte
}

// ObjectType says what the entries of a table are about.
type ObjectType uint8

const (
	ObjectEndpoint ObjectType = ObjectType(pontoon_driver_types.ObjectTypeEndpoint)
	ObjectNetwork  ObjectType = ObjectType(pontoon_driver_types.ObjectTypeNetwork)
	ObjectOpaque   ObjectType = ObjectType(pontoon_driver_types.ObjectTypeOpaque)
)

// What follows is for the SDK's packages below exports: Go's form of the arguments.

// FromNetworkOptions is for the SDK's packages below exports.
func FromNetworkOptions(options pontoon_driver_types.NetworkOptions) *NetworkOptions {
	return &NetworkOptions{
		Generic: fromTexts(options.Generic), IPv4: options.Ipv4, IPv6: options.Ipv6, Internal: options.Internal, Other: fromTexts(options.Other),
	}
}

// FromEndpointOptions is for the SDK's packages below exports.
func FromEndpointOptions(options pontoon_driver_types.EndpointOptions) *EndpointOptions {
	return &EndpointOptions{
		MacAddress: macOption(options.MacAddress), ExposedPorts: options.ExposedPorts, PortBindings: each(options.PortBindings, fromBinding),
		Generic: fromTexts(options.Generic), Other: fromTexts(options.Other),
	}
}

func fromBinding(binding pontoon_driver_types.PortBinding) PortBinding {
	return PortBinding{
		Protocol: binding.Protocol, ContainerAddress: fromAddressOption(binding.ContainerAddress), ContainerPort: binding.ContainerPort,
		HostAddress: fromAddressOption(binding.HostAddress), HostPort: binding.HostPort, HostPortEnd: binding.HostPortEnd,
	}
}

// FromPools is for the SDK's packages below exports.
func FromPools(pools []pontoon_driver_types.IpamData) []IpamData {
	return each(pools, func(data pontoon_driver_types.IpamData) IpamData {
		reserved := make(map[string]netip.Prefix, len(data.AuxAddresses))
		for _, entry := range data.AuxAddresses {
			reserved[entry.F0] = fromNetwork(entry.F1)
		}
		return IpamData{
			AddressSpace: data.AddressSpace, Pool: fromNetworkOption(data.Pool), Gateway: fromNetworkOption(data.Gateway), AuxAddresses: reserved,
		}
	})
}

// FromTexts is for the SDK's packages below exports.
func FromTexts(texts pontoon_driver_types.TextMap) map[string]string { return fromTexts(texts) }

// FromTableEvent is for the SDK's packages below exports.
func FromTableEvent(event pontoon_driver_types.TableEvent) TableEvent {
	// An entry may be empty, and is there all the same.
	bytes := func(value []byte) []byte { return append([]byte{}, value...) }
	switch event.Tag() {
	case pontoon_driver_types.TableEventCreated:
		return TableEvent{Value: bytes(event.Created())}
	case pontoon_driver_types.TableEventUpdated:
		return TableEvent{Previous: bytes(event.Updated().Previous), Value: bytes(event.Updated().Value)}
	default:
		return TableEvent{Previous: bytes(event.Deleted())}
	}
}

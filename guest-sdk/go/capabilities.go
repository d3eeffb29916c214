package pontoon

import (
	"maps"
	"net"
	"net/netip"
	"slices"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
	"pontoon.internal/sdk/bindings/pontoon_driver_capabilities"
	"pontoon.internal/sdk/bindings/pontoon_driver_namespaces"
	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

// NetworkInfo is a network that is being created.
type NetworkInfo struct {
	host *pontoon_driver_capabilities.NetworkInfo
}

// FromNetworkInfo is for the SDK's packages below exports.
func FromNetworkInfo(host *pontoon_driver_capabilities.NetworkInfo) *NetworkInfo {
	return &NetworkInfo{host}
}

// TableEventRegister asks for EventNotify on the entries of other owners in this table of the network, those that are there already included.
func (n *NetworkInfo) TableEventRegister(table string, about ObjectType) error {
	return do(n.host.TableEventRegister(table, uint8(about)))
}

// UpdateIpamConfig gives IPv4 pools to a network that was created without any.
func (n *NetworkInfo) UpdateIpamConfig(ipv4 []IpamData) error {
	return do(n.host.UpdateIpamConfig(each(ipv4, IpamData.wit)))
}

func (d IpamData) wit() pontoon_driver_types.IpamData {
	data := pontoon_driver_types.IpamData{AddressSpace: d.AddressSpace, Pool: witNetworkOption(d.Pool), Gateway: witNetworkOption(d.Gateway)}
	for _, name := range slices.Sorted(maps.Keys(d.AuxAddresses)) {
		data.AuxAddresses = append(data.AuxAddresses, witTypes.Tuple2[string, pontoon_driver_types.IpNetwork]{F0: name, F1: witNetwork(d.AuxAddresses[name])})
	}
	return data
}

// InterfaceInfo is the interface of an endpoint that is being created. What the user or the front end chose is set already; the rest is the
// driver's to set, once.
type InterfaceInfo struct {
	host *pontoon_driver_capabilities.InterfaceInfo
}

// FromInterfaceInfo is for the SDK's packages below exports.
func FromInterfaceInfo(host *pontoon_driver_capabilities.InterfaceInfo) *InterfaceInfo {
	return &InterfaceInfo{host}
}

// SetMacAddress sets the MAC address.
func (i *InterfaceInfo) SetMacAddress(mac net.HardwareAddr) error {
	return do(i.host.SetMacAddress(witMac(mac)))
}

// SetIPAddress sets the IPv4 or the IPv6 address, whichever family is given.
func (i *InterfaceInfo) SetIPAddress(address netip.Prefix) error {
	return do(i.host.SetIpAddress(witNetwork(address)))
}

// MacAddress is the MAC address; nil if it is not set.
func (i *InterfaceInfo) MacAddress() net.HardwareAddr { return macOption(i.host.MacAddress()) }

// Address is the IPv4 address; invalid if it is not set.
func (i *InterfaceInfo) Address() netip.Prefix { return fromNetworkOption(i.host.Address()) }

// AddressIPv6 is the IPv6 address; invalid if it is not set.
func (i *InterfaceInfo) AddressIPv6() netip.Prefix { return fromNetworkOption(i.host.AddressIpv6()) }

// Sandbox is the network namespace of the container, or nil where it is not known yet. A link that is made in it need not be moved.
func (i *InterfaceInfo) Sandbox() *Namespace { return sandbox(i.host.Sandbox()) }

func sandbox(host Option[*pontoon_driver_namespaces.Namespace]) *Namespace {
	if host.IsNone() {
		return nil
	}
	return &Namespace{host.Some()}
}

// JoinInfo is an endpoint that joins a sandbox.
type JoinInfo struct {
	host *pontoon_driver_capabilities.JoinInfo
}

// FromJoinInfo is for the SDK's packages below exports.
func FromJoinInfo(host *pontoon_driver_capabilities.JoinInfo) *JoinInfo {
	return &JoinInfo{host}
}

// SetNames says which link the container gets. It is named name if that is not empty, else prefix with the lowest free number.
func (j *JoinInfo) SetNames(link *Link, prefix, name string) error {
	return do(j.host.InterfaceName().SetNames(link.host, prefix, nonZero(name)))
}

// Sandbox is the network namespace of the container, or nil where it is not known: GetLink finds in it what CreateEndpoint made there.
func (j *JoinInfo) Sandbox() *Namespace { return sandbox(j.host.Sandbox()) }

// SetGateway sets the default gateway of the address's family.
func (j *JoinInfo) SetGateway(gateway netip.Addr) error {
	return do(j.host.SetGateway(witAddress(gateway)))
}

// AddStaticRoute adds a route in the container, through a next hop or, where that is invalid, directly on the link.
func (j *JoinInfo) AddStaticRoute(destination netip.Prefix, nextHop netip.Addr) error {
	kind := pontoon_driver_capabilities.RouteTypeNextHop
	if !nextHop.IsValid() {
		kind = pontoon_driver_capabilities.RouteTypeConnected
	}
	return do(j.host.AddStaticRoute(witNetwork(destination), kind, witAddressOption(nextHop)))
}

// DisableGatewayService: the network needs no gateway of the engine's own (Docker's docker_gwbridge).
func (j *JoinInfo) DisableGatewayService() { j.host.DisableGatewayService() }

// ForceGatewayIPv4: this endpoint can be the container's IPv4 gateway endpoint although it has no gateway address.
func (j *JoinInfo) ForceGatewayIPv4() { j.host.ForceGatewayIpv4() }

// ForceGatewayIPv6 is the same for IPv6.
func (j *JoinInfo) ForceGatewayIPv6() { j.host.ForceGatewayIpv6() }

// AddTableEntry adds an entry of the endpoint's to a table of the network; other hosts see it. It goes when the endpoint leaves.
func (j *JoinInfo) AddTableEntry(table, key string, value []byte) error {
	return do(j.host.AddTableEntry(table, key, value))
}

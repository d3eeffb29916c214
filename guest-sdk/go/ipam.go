package pontoon

import (
	"net"
	"net/netip"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
	"pontoon.internal/sdk/bindings/pontoon_driver_ipam"
	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

// Ipam is the part ipam, and the one part that can be without [Driver]: see ExportIpam.
type Ipam interface {
	RegisterIpam() IpamRegistration
	RequestPool(pool string, request *PoolRequest) (AllocatedPool, error)
	ReleasePool(pool string) error
	RequestAddress(pool string, request *AddressRequest) (netip.Addr, error)
	ReleaseAddress(pool string, address netip.Addr) error
	// PoolStatus gives the addresses that are in use or reserved, and those that can still be chosen.
	PoolStatus(pool string) (inUse, available uint64, err error)
}

// IpamRegistration is what the part ipam says of itself.
type IpamRegistration struct {
	LocalAddressSpace, GlobalAddressSpace string
	// RequiresMacAddress: an endpoint's address can't be chosen without its MAC.
	RequiresMacAddress bool
}

// PoolRequest is a pool that is asked for.
type PoolRequest struct {
	AddressSpace string
	// Pool is the one that is wanted, and no other; zero: one of the driver's choice. SubPool is the part that endpoints get addresses of.
	Pool, SubPool netip.Prefix
	IPv6          bool
	// Exclude is what can't be chosen now.
	Exclude []netip.Prefix
	Options map[string]string
}

// AllocatedPool is a pool that is given.
type AllocatedPool struct {
	Pool netip.Prefix
	// Reserved are addresses that nobody gets, by name.
	Reserved map[string]netip.Addr
}

// Purpose is what an address is for.
type Purpose = pontoon_driver_ipam.Purpose

// The purposes. Under Docker, reserved addresses are asked for as an endpoint's.
const (
	ForEndpoint = pontoon_driver_ipam.PurposeEndpoint
	ForGateway  = pontoon_driver_ipam.PurposeGateway
	ForReserved = pontoon_driver_ipam.PurposeReserved
)

// AddressRequest is an address that is asked for.
type AddressRequest struct {
	// Address is the one that is wanted, and no other; zero: one of the driver's choice.
	Address netip.Addr
	Purpose Purpose
	// MacAddress is the endpoint's, where it is known by then.
	MacAddress net.HardwareAddr
	Options    map[string]string
}

// FromPoolRequest is for the SDK's packages below exports.
func FromPoolRequest(request pontoon_driver_ipam.PoolRequest) *PoolRequest {
	return &PoolRequest{
		AddressSpace: request.AddressSpace, Pool: fromNetworkOption(request.Pool), SubPool: fromNetworkOption(request.SubPool),
		IPv6: request.Ipv6, Exclude: each(request.Exclude, fromNetwork), Options: fromTexts(request.Options),
	}
}

// WitPool is for the SDK's packages below exports.
func WitPool(given AllocatedPool) pontoon_driver_ipam.AllocatedPool {
	if !given.Pool.IsValid() {
		return pontoon_driver_ipam.AllocatedPool{Pool: pontoon_driver_types.IpNetwork{Address: witAddress(netip.IPv4Unspecified())}}
	}
	reserved := make([]witTypes.Tuple2[string, pontoon_driver_types.IpAddress], 0, len(given.Reserved))
	for name, address := range given.Reserved {
		reserved = append(reserved, witTypes.Tuple2[string, pontoon_driver_types.IpAddress]{F0: name, F1: witAddress(address)})
	}
	return pontoon_driver_ipam.AllocatedPool{Pool: witNetwork(given.Pool), Reserved: reserved}
}

// FromAddressRequest is for the SDK's packages below exports.
func FromAddressRequest(request pontoon_driver_ipam.AddressRequest) *AddressRequest {
	return &AddressRequest{
		Address: fromAddressOption(request.Address), Purpose: request.Purpose, MacAddress: macOption(request.MacAddress),
		Options: fromTexts(request.Options),
	}
}

// FromAddress is for the SDK's packages below exports.
func FromAddress(address pontoon_driver_types.IpAddress) netip.Addr { return fromAddress(address) }

// WitAddress is for the SDK's packages below exports.
func WitAddress(address netip.Addr) pontoon_driver_types.IpAddress {
	if !address.IsValid() {
		address = netip.IPv4Unspecified()
	}
	return witAddress(address)
}

// Package export_pontoon_driver_ipam puts a Go value behind the exported part ipam.
package export_pontoon_driver_ipam

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"
	pontoon "pontoon.internal/sdk"
	"pontoon.internal/sdk/bindings/pontoon_driver_ipam"
	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

func part() pontoon.Ipam { return pontoon.Part[pontoon.Ipam]("ipam") }

func RegisterIpam() pontoon_driver_ipam.IpamRegistration {
	defer pontoon.End(nil)
	said := part().RegisterIpam()
	return pontoon_driver_ipam.IpamRegistration{
		LocalAddressSpace: said.LocalAddressSpace, GlobalAddressSpace: said.GlobalAddressSpace, RequiresMacAddress: said.RequiresMacAddress,
	}
}

func RequestPool(pool string, request pontoon_driver_ipam.PoolRequest) witTypes.Result[pontoon_driver_ipam.AllocatedPool, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	given, err := part().RequestPool(pool, pontoon.FromPoolRequest(request))
	return pontoon.ReplyWith(pontoon.WitPool(given), err)
}

func ReleasePool(pool string) witTypes.Result[witTypes.Unit, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	return pontoon.Reply(part().ReleasePool(pool))
}

func RequestAddress(pool string, request pontoon_driver_ipam.AddressRequest) witTypes.Result[pontoon_driver_types.IpAddress, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	address, err := part().RequestAddress(pool, pontoon.FromAddressRequest(request))
	return pontoon.ReplyWith(pontoon.WitAddress(address), err)
}

func ReleaseAddress(pool string, address pontoon_driver_types.IpAddress) witTypes.Result[witTypes.Unit, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	return pontoon.Reply(part().ReleaseAddress(pool, pontoon.FromAddress(address)))
}

func PoolStatus(pool string) witTypes.Result[pontoon_driver_ipam.PoolUsage, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	inUse, available, err := part().PoolStatus(pool)
	return pontoon.ReplyWith(pontoon_driver_ipam.PoolUsage{InUse: inUse, Available: available}, err)
}

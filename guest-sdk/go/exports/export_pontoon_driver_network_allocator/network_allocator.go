// Package export_pontoon_driver_network_allocator puts a Go value behind the exported part network-allocator.
package export_pontoon_driver_network_allocator

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"
	pontoon "pontoon.internal/sdk"
	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

func part() pontoon.NetworkAllocator {
	return pontoon.Part[pontoon.NetworkAllocator]("network-allocator")
}

func NetworkAllocate(network string, options pontoon.TextMap, ipv4, ipv6 []pontoon.IpamData) witTypes.Result[pontoon.TextMap, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	return pontoon.ReplyWith(part().NetworkAllocate(network, options, ipv4, ipv6))
}

func NetworkFree(network string) witTypes.Result[witTypes.Unit, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	return pontoon.Reply(part().NetworkFree(network))
}

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

func NetworkAllocate(network string, options pontoon_driver_types.TextMap, ipv4, ipv6 []pontoon_driver_types.IpamData) witTypes.Result[pontoon_driver_types.TextMap, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	texts, err := part().NetworkAllocate(network, pontoon.FromTexts(options), pontoon.FromPools(ipv4), pontoon.FromPools(ipv6))
	return pontoon.ReplyWith(pontoon.Texts(texts), err)
}

func NetworkFree(network string) witTypes.Result[witTypes.Unit, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	return pontoon.Reply(part().NetworkFree(network))
}

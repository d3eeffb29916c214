// Package export_pontoon_driver_gateway_allocation_checker puts a Go value behind the exported part gateway-allocation-checker.
package export_pontoon_driver_gateway_allocation_checker

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"
	pontoon "pontoon.internal/sdk"
	"pontoon.internal/sdk/bindings/pontoon_driver_gateway_allocation_checker"
	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

type skip = pontoon_driver_gateway_allocation_checker.SkipGateway

func SkipGatewayAllocation(options pontoon_driver_types.NetworkOptions) witTypes.Result[skip, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	part := pontoon.Part[pontoon.GatewayAllocationChecker]("gateway-allocation-checker")
	ipv4, ipv6, err := part.SkipGatewayAllocation(pontoon.FromNetworkOptions(options))
	return pontoon.ReplyWith(skip{Ipv4: ipv4, Ipv6: ipv6}, err)
}

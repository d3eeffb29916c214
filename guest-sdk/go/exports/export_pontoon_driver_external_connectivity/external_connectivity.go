// Package export_pontoon_driver_external_connectivity puts a Go value behind the exported part external-connectivity.
package export_pontoon_driver_external_connectivity

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"
	pontoon "pontoon.internal/sdk"
	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

type nothing = witTypes.Result[witTypes.Unit, pontoon_driver_types.Error]

func part() pontoon.ExternalConnectivity {
	return pontoon.Part[pontoon.ExternalConnectivity]("external-connectivity")
}

func ProgramExternalConnectivity(network, endpoint string, gatewayIPv4, gatewayIPv6 witTypes.Option[string], options pontoon_driver_types.EndpointOptions) nothing {
	defer pontoon.End(nil)
	ipv4, ipv6 := gatewayIPv4.SomeOr(""), gatewayIPv6.SomeOr("")
	return pontoon.Reply(part().ProgramExternalConnectivity(network, endpoint, ipv4, ipv6, pontoon.FromEndpointOptions(options)))
}

func RevokeExternalConnectivity(network, endpoint string) nothing {
	defer pontoon.End(nil)
	return pontoon.Reply(part().RevokeExternalConnectivity(network, endpoint))
}

// Package export_pontoon_driver_driver puts a Go value behind the exported part driver.
package export_pontoon_driver_driver

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"
	pontoon "pontoon.internal/sdk"
	"pontoon.internal/sdk/bindings/pontoon_driver_capabilities"
	"pontoon.internal/sdk/bindings/pontoon_driver_driver"
	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

type nothing = witTypes.Result[witTypes.Unit, pontoon_driver_types.Error]

func part() pontoon.Driver { return pontoon.Part[pontoon.Driver]("driver") }

func scope(global bool) pontoon_driver_types.Scope {
	if global {
		return pontoon_driver_types.ScopeGlobal
	}
	return pontoon_driver_types.ScopeLocal
}

func Register() pontoon_driver_driver.Registration {
	defer pontoon.End(nil)
	said := part().Register()
	return pontoon_driver_driver.Registration{
		NetworkType: said.NetworkType,
		Capability: pontoon_driver_types.Capability{
			DataScope:         scope(said.Global),
			ConnectivityScope: scope(said.ConnectsHosts),
		},
	}
}

func CreateNetwork(network string, options pontoon_driver_types.NetworkOptions, info *pontoon_driver_capabilities.NetworkInfo, ipv4, ipv6 []pontoon_driver_types.IpamData) nothing {
	defer pontoon.End(info)
	given, its := pontoon.FromNetworkOptions(options), pontoon.FromNetworkInfo(info)
	return pontoon.Reply(part().CreateNetwork(network, given, its, pontoon.FromPools(ipv4), pontoon.FromPools(ipv6)))
}

func DeleteNetwork(network string) nothing {
	defer pontoon.End(nil)
	return pontoon.Reply(part().DeleteNetwork(network))
}

func CreateEndpoint(network, endpoint string, info *pontoon_driver_capabilities.InterfaceInfo, options pontoon_driver_types.EndpointOptions) nothing {
	defer pontoon.End(info)
	return pontoon.Reply(part().CreateEndpoint(network, endpoint, pontoon.FromInterfaceInfo(info), pontoon.FromEndpointOptions(options)))
}

func DeleteEndpoint(network, endpoint string) nothing {
	defer pontoon.End(nil)
	return pontoon.Reply(part().DeleteEndpoint(network, endpoint))
}

func EndpointOperInfo(network, endpoint string) witTypes.Result[pontoon_driver_types.TextMap, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	texts, err := part().EndpointOperInfo(network, endpoint)
	return pontoon.ReplyWith(pontoon.Texts(texts), err)
}

func Join(network, endpoint, sandbox string, info *pontoon_driver_capabilities.JoinInfo, options pontoon_driver_types.EndpointOptions) nothing {
	defer pontoon.End(info)
	return pontoon.Reply(part().Join(network, endpoint, sandbox, pontoon.FromJoinInfo(info), pontoon.FromEndpointOptions(options)))
}

func Leave(network, endpoint string) nothing {
	defer pontoon.End(nil)
	return pontoon.Reply(part().Leave(network, endpoint))
}

// Docker's bridge driver in Go: what sample-drivers/bridge does in Rust, file by file.
//
// A driver has no memory between calls. What this one remembers lies in the store: network/NETWORK, bridge/NAME (the network that the
// bridge belongs to) and endpoint/NETWORK/ENDPOINT.
package main

import (
	pontoon "pontoon.internal/sdk"
	_ "pontoon.internal/sdk/bindings/wit_exports"
)

// version of what is remembered: the next number when Network, Endpoint or what they hold changes.
const version = 1

type bridge struct{}

func init() { pontoon.Export(bridge{}) }

func main() {} // A component has exported functions only.

func (bridge) Register() pontoon.Registration {
	return pontoon.Registration{NetworkType: "bridge"}
}

func (bridge) CreateNetwork(network string, options *pontoon.NetworkOptions, _ *pontoon.NetworkInfo, ipv4, ipv6 []pontoon.IpamData) error {
	return createNetwork(network, options, ipv4, ipv6)
}

func (bridge) DeleteNetwork(network string) error {
	return deleteNetwork(network)
}

func (bridge) CreateEndpoint(network, endpoint string, info *pontoon.InterfaceInfo, options *pontoon.EndpointOptions) error {
	return createEndpoint(network, endpoint, info, options)
}

func (bridge) DeleteEndpoint(network, endpoint string) error {
	return deleteEndpoint(network, endpoint)
}

func (bridge) EndpointOperInfo(network, endpoint string) (map[string]string, error) {
	return report(network, endpoint)
}

func (bridge) Join(network, endpoint, _ string, info *pontoon.JoinInfo, _ *pontoon.EndpointOptions) error {
	return join(network, endpoint, info)
}

func (bridge) Leave(network, endpoint string) error {
	_, err := revoke(network, endpoint)
	return err
}

func (bridge) ProgramExternalConnectivity(network, endpoint string, gatewayIPv4, gatewayIPv6 string, options *pontoon.EndpointOptions) error {
	gateways := gateways{ipv4: whose(gatewayIPv4, endpoint), ipv6: whose(gatewayIPv6, endpoint)}
	return publish(network, endpoint, gateways, options.PortBindings)
}

func (bridge) RevokeExternalConnectivity(network, endpoint string) error {
	_, err := revoke(network, endpoint)
	return err
}

func (bridge) ReleaseIPv6(network, endpoint string) error {
	return releaseIPv6(network, endpoint)
}

func (bridge) SkipGatewayAllocation(options *pontoon.NetworkOptions) (ipv4, ipv6 bool, err error) {
	read, err := readOptions(options.Generic)
	return read.inhibitIPv4, false, err
}

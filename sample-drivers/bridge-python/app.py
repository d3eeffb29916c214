"""Docker's bridge driver in Python: the same as `sample-drivers/bridge`, which says what it does and why.

In the order in which a network comes to life: `options`, `network`, `rules`, `endpoint`, `ports`, `report`. What is remembered lies in the store:

| key | value |
|---|---|
| `network/NETWORK` | `network.Network` |
| `bridge/NAME` | the network that the bridge belongs to |
| `endpoint/NETWORK/ENDPOINT` | `endpoint.Endpoint` |
"""

import pontoon
from pontoon import EndpointOptions, InterfaceInfo, IpamData, JoinInfo, NetworkInfo, NetworkOptions, Registration, exports

import endpoint as endpoints
import network as networks
import ports
import report
from options import Options


class Driver(pontoon.Driver):
    def register(self) -> Registration:
        return pontoon.registration("bridge")

    def create_network(
        self, network: str, options: NetworkOptions, info: NetworkInfo, ipv4: list[IpamData], ipv6: list[IpamData]
    ) -> None:
        networks.create(network, options, ipv4, ipv6)

    def delete_network(self, network: str) -> None:
        networks.delete(network)

    def create_endpoint(self, network: str, endpoint: str, info: InterfaceInfo, options: EndpointOptions) -> None:
        endpoints.create(network, endpoint, info, options)

    def delete_endpoint(self, network: str, endpoint: str) -> None:
        endpoints.delete(network, endpoint)

    def endpoint_oper_info(self, network: str, endpoint: str) -> list[tuple[str, str]]:
        return list(report.of_endpoint(network, endpoint).items())

    def join(self, network: str, endpoint: str, sandbox: str, info: JoinInfo, options: EndpointOptions) -> None:
        endpoints.join(network, endpoint, info)

    def leave(self, network: str, endpoint: str) -> None:
        ports.revoke(network, endpoint)


class ExternalConnectivity(pontoon.Part, exports.ExternalConnectivity):
    def program_external_connectivity(
        self, network: str, endpoint: str, gateway_ipv4: str | None, gateway_ipv6: str | None, options: EndpointOptions
    ) -> None:
        gateways = ports.Gateways(endpoint, gateway_ipv4, gateway_ipv6)
        ports.publish(network, endpoint, gateways, options.port_bindings)

    def revoke_external_connectivity(self, network: str, endpoint: str) -> None:
        ports.revoke(network, endpoint)


class Ipv6Releaser(pontoon.Part, exports.Ipv6Releaser):
    def release_ipv6(self, network: str, endpoint: str) -> None:
        endpoints.release_ipv6(network, endpoint)


class GatewayAllocationChecker(pontoon.Part, exports.GatewayAllocationChecker):
    def skip_gateway_allocation(self, options: NetworkOptions) -> exports.gateway_allocation_checker.SkipGateway:
        return exports.gateway_allocation_checker.SkipGateway(ipv4=Options.read(dict(options.generic)).inhibit_ipv4, ipv6=False)

"""What there is to tell of an endpoint, in the words of libnetwork's bridge driver."""

import json

from pontoon.values import mac_text

from endpoint import Endpoint, Published


def of_endpoint(network: str, endpoint: str) -> dict[str, str]:
    """MAC address, exposed and published ports of an endpoint."""
    record = Endpoint.find(network, endpoint)
    exposed = [{"Proto": protocol, "Port": port} for protocol, port in record.exposed_ports]
    published = [_port_binding(port) for port in record.published]
    return {
        "com.docker.network.endpoint.macaddress": _json(mac_text(record.mac_address)),
        "com.docker.network.endpoint.exposedports": _json(exposed),
        "com.docker.network.portmap": _json(published),
    }


def _port_binding(port: Published) -> dict[str, int | str]:
    """libnetwork's types.PortBinding."""
    return {
        "Proto": port.protocol,
        "IP": str(port.container_address),
        "Port": port.container_port,
        "HostIP": str(port.host_address),
        "HostPort": port.host_port,
        "HostPortEnd": port.host_port,
    }


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))

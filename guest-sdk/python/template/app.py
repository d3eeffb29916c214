"""A bridge for every network and a pair of links for every container."""

import zlib

import pontoon
from pontoon import EndpointOptions, InterfaceInfo, IpamData, JoinInfo, NetworkInfo, NetworkOptions, Registration, errors, links, values

MTU = "com.docker.network.driver.mtu"
"""Docker's name for a network's MTU."""


class Driver(pontoon.Driver):
    def register(self) -> Registration:
        return pontoon.registration("@NAME@")

    def create_network(
        self, network: str, options: NetworkOptions, info: NetworkInfo, ipv4: list[IpamData], ipv6: list[IpamData]
    ) -> None:
        addresses = [values.interface(data.gateway) for data in ipv4 if data.gateway]
        links.add_bridge(links.end(name("simple", network), mtu=mtu(options), addresses=addresses, up=True))

    def delete_network(self, network: str) -> None:
        pass  # What a network still owns goes with it.

    def create_endpoint(self, network: str, endpoint: str, info: InterfaceInfo, options: EndpointOptions) -> None:
        mac_address = info.mac_address()
        if mac_address is None:
            mac_address = values.random_mac_address()
            info.set_mac_address(mac_address)
        bridge = links.get(name("simple", network))
        mtu = bridge.info().mtu
        host = links.end(name("host", endpoint), mtu=mtu, master=bridge, up=True)
        container = links.end(name("cont", endpoint), mtu=mtu, mac_address=mac_address)
        links.add_veth(host, container)

    def join(self, network: str, endpoint: str, sandbox: str, info: JoinInfo, options: EndpointOptions) -> None:
        info.interface_name().set_names(links.get(name("cont", endpoint)), "eth", None)


def mtu(options: NetworkOptions) -> int | None:
    text = dict(options.generic).get(MTU, "0")
    if not text.isdecimal() or int(text) > 65_535:
        raise errors.invalid_argument(f'{MTU}="{text}": no MTU')
    return int(text) or None


def name(prefix: str, id: str) -> str:
    """One of the kernel's, of at most 15 bytes. It has a hash of the id, because ids may begin alike."""
    return f"{prefix}-{zlib.crc32(id.encode()):08x}"

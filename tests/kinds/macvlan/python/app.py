"""A macvlan link for every container, on a link of the host's: `-o parent=LINK`, and `-o mode=bridge`, `private` or `vepa`."""

import zlib

import pontoon
from pontoon import EndpointOptions, InterfaceInfo, IpamData, JoinInfo, NetworkInfo, NetworkOptions, Registration
from pontoon import errors, links, store, values
from pontoon.links import Link, MacvlanMode

MTU = "com.docker.network.driver.mtu"
MODES = {"bridge": MacvlanMode.BRIDGE, "private": MacvlanMode.PRIVATE, "vepa": MacvlanMode.VEPA}


class Driver(pontoon.Driver):
    def register(self) -> Registration:
        return pontoon.registration("lan")

    def create_network(
        self, network: str, options: NetworkOptions, info: NetworkInfo, ipv4: list[IpamData], ipv6: list[IpamData]
    ) -> None:
        if key(network).get() is not None:
            raise errors.already_exists(f"network {network} is there already")
        labels = dict(options.generic)
        parent, mode = labels.get("parent"), labels.get("mode", "bridge")
        if parent is None:
            raise errors.invalid_argument("no parent: say which link of the host's with -o parent=LINK")
        if mode not in MODES:
            raise errors.invalid_argument(f'mode="{mode}": it is bridge, private or vepa')
        try:
            links.get(parent)
        except errors.Err as err:
            raise errors.context(err, f'parent="{parent}"')
        pools = [] if options.internal else ipv4 + ipv6
        gateways = [str(values.interface(data.gateway)) for data in pools if data.gateway]
        key(network).set({"parent": parent, "mode": mode, "mtu": mtu(labels), "gateways": gateways})

    def delete_network(self, network: str) -> None:
        key(network).remove()

    def create_endpoint(self, network: str, endpoint: str, info: InterfaceInfo, options: EndpointOptions) -> None:
        record = find(network)
        mac_address = info.mac_address()
        if mac_address is None:
            mac_address = values.random_mac_address()
            info.set_mac_address(mac_address)
        # In the container's own namespace, if it is known: a link that is made there need not be moved.
        end = links.end(name("lan", endpoint), namespace=info.sandbox(), mac_address=mac_address, mtu=record["mtu"])
        links.add_macvlan(end, links.get(record["parent"]), MODES[record["mode"]])

    def join(self, network: str, endpoint: str, sandbox: str, info: JoinInfo, options: EndpointOptions) -> None:
        record = find(network)
        info.interface_name().set_names(link(endpoint, info), "eth", None)
        info.disable_gateway_service()
        for gateway in record["gateways"]:
            info.set_gateway(values.wit_address(values.ipaddress.ip_interface(gateway).ip))


def key(network: str) -> store.Key[dict]:
    return store.Key(f"network/{network}", version=1)


def find(network: str) -> dict:
    record = key(network).get()
    if record is None:
        raise errors.not_found(f"no network {network}")
    return record


def link(endpoint: str, info: JoinInfo) -> Link:
    """An endpoint's link, on the host or in the container."""
    try:
        return links.get(name("lan", endpoint))
    except errors.Err as err:
        sandbox = info.sandbox()
        if sandbox is None or not errors.is_kind(err, errors.ErrorKind.NOT_FOUND):
            raise
        return links.get(name("lan", endpoint), sandbox)


def mtu(labels: dict[str, str]) -> int | None:
    text = labels.get(MTU, "0")
    if not text.isdecimal() or int(text) > 65_535:
        raise errors.invalid_argument(f'{MTU}="{text}": no MTU')
    return int(text) or None


def name(prefix: str, id: str) -> str:
    """One of the kernel's, of at most 15 bytes. It has a hash of the id, because ids may begin alike."""
    return f"{prefix}-{zlib.crc32(id.encode()):08x}"

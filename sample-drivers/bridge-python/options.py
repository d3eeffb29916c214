"""What the user's labels say: Docker's names, Docker's defaults. Unknown ones are left alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from pontoon.errors import invalid_argument, not_implemented

NAME = "com.docker.network.bridge.name"
ICC = "com.docker.network.bridge.enable_icc"
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"
HOST_BINDING = "com.docker.network.bridge.host_binding_ipv4"
INHIBIT_IPV4 = "com.docker.network.bridge.inhibit_ipv4"
MTU = "com.docker.network.driver.mtu"
INTERFACE_PREFIX = "com.docker.network.container_iface_prefix"
GATEWAY_MODES = ("com.docker.network.bridge.gateway_mode_ipv4", "com.docker.network.bridge.gateway_mode_ipv6")

SOURCES = ("com.docker.network.host_ipv4", "com.docker.network.host_ipv6")


@dataclass(frozen=True)
class Options:
    """The options of a network."""

    name: str | None
    """The bridge's name, if the user chose one."""
    icc: bool
    """Containers may talk to each other."""
    masquerade: bool
    """What leaves for the outside gets the host's address."""
    host_binding: IPv4Address | None
    """Where ports are published that name no host address; none: on all addresses of both families."""
    inhibit_ipv4: bool
    """The bridge gets no IPv4 address."""
    mtu: int | None
    """Of the bridge and of every container's link, in bytes."""
    interface_prefix: str
    """The containers' links are named this and a number."""

    @classmethod
    def read(cls, labels: Mapping[str, str]) -> "Options":
        """Reads the labels. Docker takes an empty one for none."""
        for key in GATEWAY_MODES:
            if labels.get(key, "") not in ("", "nat"):
                raise not_implemented(f'{key}="{labels[key]}": only "nat" is implemented')
        for key in SOURCES:
            if labels.get(key):
                raise not_implemented(f'{key}="{labels[key]}": only the bridge in Rust implements it')
        return cls(
            name=labels.get(NAME) or None,
            icc=_flag(labels, ICC, True),
            masquerade=_flag(labels, MASQUERADE, True),
            host_binding=_host_binding(labels),
            inhibit_ipv4=_flag(labels, INHIBIT_IPV4, False),
            mtu=_mtu(labels),
            interface_prefix=labels.get(INTERFACE_PREFIX) or "eth",
        )


def _flag(labels: Mapping[str, str], key: str, default: bool) -> bool:
    """The words that Go's strconv.ParseBool knows, and so Docker's users."""
    match labels.get(key):
        case None:
            return default
        case "1" | "t" | "T" | "true" | "True" | "TRUE":
            return True
        case "0" | "f" | "F" | "false" | "False" | "FALSE":
            return False
        case value:
            raise invalid_argument(f'{key}="{value}": neither true nor false')


def _mtu(labels: Mapping[str, str]) -> int | None:
    """0 is Docker's word for the kernel's default."""
    text = labels.get(MTU, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise invalid_argument(f'{MTU}="{text}": not a number')
    mtu = int(text)
    if mtu != 0 and not 68 <= mtu <= 65_535:
        raise invalid_argument(f'{MTU}="{mtu}": an MTU is 68 to 65535 bytes')
    return mtu or None


def _host_binding(labels: Mapping[str, str]) -> IPv4Address | None:
    text = labels.get(HOST_BINDING)
    if text is None:
        return None
    try:
        address = IPv4Address(text)
    except AddressValueError as error:
        raise invalid_argument(f'{HOST_BINDING}="{text}": {error}') from None
    return None if address.is_unspecified else address

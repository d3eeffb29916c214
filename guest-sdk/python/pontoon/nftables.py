"""Rules that read like rules: `Rule(FORWARD, Verdict_Drop(), [when(Property_InputLink(bridge))])`."""

from wit_world.imports.nftables import Chain, ChainType, Condition, Hook, Property

FORWARD = Chain(ChainType.FILTER, Hook.FORWARD, 0)
"""What is forwarded."""
RAW_PREROUTING = Chain(ChainType.FILTER, Hook.PREROUTING, -300)
"""What comes in, before everything else."""
NAT_PREROUTING = Chain(ChainType.NAT, Hook.PREROUTING, -100)
"""Where destinations of what comes in are translated."""
NAT_OUTPUT = Chain(ChainType.NAT, Hook.OUTPUT, -100)
"""Where destinations of what the host itself sends are translated."""
NAT_POSTROUTING = Chain(ChainType.NAT, Hook.POSTROUTING, 100)
"""Where sources are translated."""


def when(property: Property) -> Condition:
    """The property must hold."""
    return Condition(property, False)


def unless(property: Property) -> Condition:
    """The property must not hold."""
    return Condition(property, True)

"""On generated bindings, whose host functions are replaced where a test needs one."""

import unittest
from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any
from unittest import mock

import pontoon
from pontoon import Part, checked, errors, links, nftables, ports, routes, rules, store, values
from wit_world.imports import log
from wit_world.imports.links import Link


class Values(unittest.TestCase):
    def test_addresses_come_back_as_they_went(self) -> None:
        for text in ("10.5.0.1", "0.0.0.0", "fd00::1", "::", "2001:db8:1:2:3:4:5:6"):
            self.assertEqual(values.address(values.wit_address(ip_address(text))), ip_address(text))
        for text in ("10.5.0.2/24", "fd00::2/64", "10.0.0.0/0"):
            self.assertEqual(values.interface(values.wit_network(ip_interface(text))), ip_interface(text))
        self.assertEqual(values.wit_network(ip_address("10.5.0.1")).prefix_length, 32)
        self.assertEqual(values.wit_network(ip_network("fd00::/64")).prefix_length, 64)

    def test_macs(self) -> None:
        first = values.random_mac_address()
        self.assertEqual((len(first), first[0] & 3), (6, 2))
        self.assertEqual(values.mac_text((2, 0x42, 10, 5, 0, 2)), "02:42:0a:05:00:02")


class Errors(unittest.TestCase):
    def test_an_exception_is_explained_and_an_error_goes_through(self) -> None:
        class Driver(Part):
            def fail(self) -> None:
                raise ValueError("out of luck")

            def refuse(self) -> None:
                raise errors.context(errors.not_found("no network n"), "n")

        with mock.patch.object(log, "log") as logged, mock.patch("pontoon.runtime.begin"):
            with self.assertRaises(errors.Err) as caught:
                Driver().fail()
            told = caught.exception.value
            self.assertRegex(told.message, r"^ValueError: out of luck \(.*test_sdk.py, line \d+, in fail\)$")
            self.assertEqual((told.kind, logged.call_args.args[1]), (errors.ErrorKind.INTERNAL, "ValueError: out of luck"))
            with self.assertRaises(errors.Err) as caught:
                Driver().refuse()
            self.assertTrue(errors.is_kind(caught.exception, errors.ErrorKind.NOT_FOUND))
            self.assertEqual(caught.exception.value.message, "n: no network n")


class Migrations(unittest.TestCase):
    """A part that few drivers have is checked as the others are."""

    def test_a_schema_is_a_number(self) -> None:
        class Migration(Part, pontoon.exports.Migration):
            what: Any = 2

            def schema(self) -> Any:
                return self.what

            def migrate_network(self, network: str, before: int) -> None: ...
            def migrate_endpoint(self, network: str, endpoint: str, before: int) -> None: ...

        with mock.patch.object(log, "log"), mock.patch("pontoon.runtime.begin"):
            migration = Migration()
            self.assertEqual(migration.schema(), 2)
            migration.what = "2"
            with self.assertRaises(errors.Err) as caught:
                migration.schema()
            self.assertIn("what it returns is '2', of type str; the interface has int there", caught.exception.value.message)


class Types(unittest.TestCase):
    """What is not of the interface's type is said: function, place in the value, what stands there and what belongs there."""

    def told(self, call: Callable[[], object]) -> str:
        with mock.patch.object(log, "log"), mock.patch("pontoon.runtime.begin"), self.assertRaises(errors.Err) as caught:
            call()
        return caught.exception.value.message

    def test_what_a_function_returns(self) -> None:
        class Driver(pontoon.Driver):
            what: Any = None

            def register(self) -> Any:
                return self.what

            def endpoint_oper_info(self, network: str, endpoint: str) -> Any:
                return self.what

            def create_network(self, *_: Any) -> None: ...
            def create_endpoint(self, *_: Any) -> None: ...
            def join(self, *_: Any) -> None: ...

        driver = Driver()
        good = pontoon.registration("d")
        wrong_name, wrong_scope = pontoon.registration(7), pontoon.registration("d", data_scope="local")  # type: ignore[arg-type]
        table: list[tuple[Callable[[], object], Any, str]] = [
            (driver.register, "d", "register (.*test_sdk.py, line .*): what it returns is 'd', of type str; the interface has Registration there"),
            (driver.register, None, "what it returns is None, of type NoneType; the interface has Registration there"),
            (driver.register, wrong_name, r"what it returns\.network_type is 7, of type int; the interface has str there"),
            (driver.register, wrong_scope, r"what it returns\.capability\.data_scope is 'local', of type str; the interface has Scope there"),
            (lambda: driver.endpoint_oper_info("n", "e"), {"a": "1"}, r"is \{'a': '1'\}, of type dict; the interface has list\[tuple\[str, str\]\]"),
            (lambda: driver.endpoint_oper_info("n", "e"), [["a", "1"]], r"what it returns\[0\] is \['a', '1'\], of type list; .* tuple\[str, str\]"),
            (lambda: driver.endpoint_oper_info("n", "e"), [("a", 1)], r"what it returns\[0\]\[1\] is 1, of type int; the interface has str there"),
        ]
        for call, what, says in table:
            Driver.what = what
            self.assertRegex(self.told(call), f"^TypeError: .*{says}")
        Driver.what = good
        with mock.patch("pontoon.runtime.begin"):
            self.assertIs(driver.register(), good)

    def test_what_the_host_is_given_and_what_is_raised(self) -> None:
        class Given(Part):
            def text_mtu(self) -> None:
                links.add_bridge(links.end("b", mtu="1500"))  # type: ignore[arg-type]

            def no_link(self) -> None:
                nftables.add([nftables.Rule(nftables.FORWARD, nftables.DROP).when(nftables.input_link("b"))])  # type: ignore[arg-type]

            def short(self) -> None:
                links.add_dummy(links.end("d", mac_address=(2, 1)))  # type: ignore[arg-type]

            def raised(self) -> None:
                raise errors.Err("no network")

        given = Given()
        self.assertRegex(
            self.told(given.text_mtu),
            r"^TypeError: add: links\[0\]\.end\.mtu is '1500', of type str; the interface has int or None there \(.*test_sdk.py, line \d+, in text_mtu\)$",
        )
        self.assertRegex(self.told(given.no_link), r"add: rules\[0\]\.conditions\[0\]\.property\.value is 'b', of type str; the interface has Link")
        self.assertRegex(self.told(given.short), r"add: links\[0\]\.end\.mac_address is \(2, 1\), of type tuple; the interface has tuple\[int, int, int,")
        self.assertRegex(self.told(given.raised), "TypeError: raised: the value of its error is 'no network', of type str; the interface has Error")

    def test_numbers_out_of_range(self) -> None:
        class Given(Part):
            what: Any = None

            def give(self) -> None:
                self.what()

        link, net = Link(), ip_network("10.5.0.0/24")
        table: list[tuple[Callable[[], object], str]] = [
            (lambda: links.add_dummy(links.end("d", mtu=1 << 32)), r"add: links\[0\]\.end\.mtu is 4294967296, of type int; .* from 0 to 4294967295 "),
            (lambda: links.add_dummy(links.end("d", mac_address=(256, 0, 0, 0, 0, 1))), r"mac_address\[0\] is 256, .* a number from 0 to 255 there"),
            (lambda: links.add_vlan(links.end("v"), link, -1), r"kind\.value\.id is -1, of type int; the interface has a number from 0 to 65535 there"),
            (lambda: ports.take(6, [ip_address("10.5.0.1")], 1, 65536), r"take: last is 65536, of type int; the interface has a number from 0 to 65535"),
            (lambda: pontoon.sysctls.set_link(link, pontoon.sysctls.LinkSysctl.IPV4_FORWARDING, 1 << 31), "value is 2147483648, .* to 2147483647 there"),
            (lambda: nftables.remove([1, -1]), r"remove: ids\[1\] is -1, .* a number from 0 to 18446744073709551615 there"),
            (lambda: nftables.add([nftables.Rule(nftables.FORWARD, nftables.DROP).when(nftables.protocol(256))]), r"property\.value is 256, .* to 255"),
            (lambda: rules.add([rules.rule(100, 1 << 32, source=net)]), r"rules\[0\]\.table is 4294967296, .* to 4294967295"),
            (lambda: rules.add([rules.rule(100, 7, source=net, mark=(1, -1))]), r"rules\[0\]\.mark\[1\] is -1, .* from 0 to 4294967295"),
            (lambda: routes.add([routes.route(link, net, metric=-1)]), r"routes\[0\]\.metric is -1, "),
        ]
        for call, says in table:
            Given.what = staticmethod(call)
            self.assertRegex(self.told(Given().give), f"^TypeError: .*{says}")
        for bits, goes, does_not in ((8, (0, 255), (-1, 256)), (-32, (-(2**31), 2**31 - 1), (-(2**31) - 1, 2**31))):
            for value in goes:
                checked.check(int, bits)(value)
            for value in does_not:
                self.assertRaises(checked.Wrong, checked.check(int, bits), value)

    def test_what_is_right_goes_through(self) -> None:
        # There is no host here, which is what the bindings say then.
        for call in (lambda: links.add_bridge(links.end("b", mtu=1500)), lambda: nftables.remove([1]), lambda: links.get("b")):
            self.assertRaises(NotImplementedError, call)


class Helpers(unittest.TestCase):
    def test_changes_are_named_and_known(self) -> None:
        self.assertEqual((links.changes(hairpin=True).hairpin, links.changes(hairpin=True).mtu), (True, None))
        with self.assertRaises(TypeError):
            links.changes(hairpinn=True)

    def test_rules_are_put_together(self) -> None:
        first = nftables.Rule(nftables.FORWARD, nftables.DROP).when(nftables.input_link(Link()), nftables.DESTINATION_LOCAL)
        second = first.unless(nftables.destination_port(80))
        self.assertEqual(([one.negated for one in second.conditions], len(first.conditions)), ([False, False, True], 2))
        self.assertEqual((second.conditions[2].property.value.last, second.verdict), (80, nftables.DROP))


    def test_packet_rules_are_put_together(self) -> None:
        link = Link.__new__(Link)
        rule = nftables.PacketRule(nftables.FORWARD, nftables.DROP).when(nftables.input_link(link), nftables.mark(1, 3))
        rule = rule.unless(nftables.in_set("s", nftables.PacketField.SOURCE)).and_(nftables.COUNTER, nftables.limit(10, 5))
        self.assertEqual([condition.negated for condition in rule.conditions], [False, False, True])
        self.assertEqual((rule.action.value, len(rule.statements)), (nftables.DROP, 2))
        self.assertEqual(nftables.PacketRule(nftables.FORWARD, nftables.PROCEED).action, nftables.PROCEED)
        # They are of the interface's types.
        with mock.patch.object(nftables.nftables, "add_packet_rules") as add:
            nftables.add_packet_rules([rule])
        checked.check(list[nftables.nftables.PacketRule])(add.call_args.args[1])

    def test_peers_are_the_interfaces(self) -> None:
        peer = links.peer(bytes(32), [ip_network("10.9.0.0/24")], endpoint=(ip_address("192.0.2.1"), 51820))
        checked.check(links.WireguardPeer)(peer)
        self.assertEqual(peer.endpoint.port, 51820)


class Store(unittest.TestCase):
    """On a store in memory."""

    def setUp(self) -> None:
        self.kept: dict[str, bytes] = {}
        functions = {"get": self.kept.get, "set": self.kept.__setitem__, "remove": self.kept.pop, "list": lambda _: list(self.kept.items())}
        patch = mock.patch.multiple(store.store, **functions)
        patch.start()
        self.addCleanup(patch.stop)

    def test_what_is_remembered_is_json(self) -> None:
        key = store.Key("network/n")
        key.set({"mtu": 1400})
        self.assertEqual(self.kept, {"network/n": b'{"mtu":1400}'})
        self.assertEqual(store.Key("network/").list(), [("n", {"mtu": 1400})])
        self.assertEqual((key.take(), key.take()), ({"mtu": 1400}, None))

    def test_another_builds_version_is_an_error(self) -> None:
        store.Key("k", version=1).set([7])
        self.assertEqual(self.kept, {"k": b'{"version":1,"value":[7]}'})
        self.assertEqual((store.Key("k", version=1).get(), store.Key("", version=1).list()), ([7], [("k", [7])]))
        for read in (store.Key("k", version=2).get, store.Key("k", version=2).take, store.Key("", version=2).list):
            self.assertRegex(self.told(read), "the store's k has version 1, and this build of the driver reads version 2: have it read that, too,")
        self.assertRegex(self.told(store.Key("k").get), "has version 1, and this build of the driver reads no version: ")
        store.Key("k").set([7])
        self.assertRegex(self.told(store.Key("k", version=2).get), "has no version, and this build of the driver reads version 2: ")

    def told(self, read: Callable[[], object]) -> str:
        with self.assertRaises(errors.Err) as caught:
            read()
        return caught.exception.value.message


if __name__ == "__main__":
    unittest.main()

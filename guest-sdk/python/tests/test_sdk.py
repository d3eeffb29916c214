"""On generated bindings, whose host functions are replaced where a test needs one."""

import unittest
from ipaddress import ip_address, ip_interface, ip_network
from unittest import mock

from pontoon import Part, error, links, store, values
from wit_world.imports import log


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
                raise error.context(error.not_found("no network n"), "n")

        with mock.patch.object(log, "log") as logged, mock.patch("pontoon.runtime.begin"):
            with self.assertRaises(error.Err) as caught:
                Driver().fail()
            told = caught.exception.value
            self.assertRegex(told.message, r"^ValueError: out of luck \(.*test_sdk.py, line \d+, in fail\)$")
            self.assertEqual((told.kind, logged.call_args.args[1]), (error.ErrorKind.INTERNAL, "ValueError: out of luck"))
            with self.assertRaises(error.Err) as caught:
                Driver().refuse()
            self.assertTrue(error.is_kind(caught.exception, error.ErrorKind.NOT_FOUND))
            self.assertEqual(caught.exception.value.message, "n: no network n")


class Helpers(unittest.TestCase):
    def test_changes_are_named_and_known(self) -> None:
        self.assertEqual((links.changes(hairpin=True).hairpin, links.changes(hairpin=True).mtu), (True, None))
        with self.assertRaises(TypeError):
            links.changes(hairpinn=True)

    def test_what_is_remembered_is_json(self) -> None:
        kept: dict[str, bytes] = {}
        with mock.patch.multiple(store.store, get=kept.get, set=kept.__setitem__, remove=kept.pop, list=lambda _: list(kept.items())):
            store.put("network/n", {"mtu": 1400})
            self.assertEqual(kept, {"network/n": b'{"mtu":1400}'})
            self.assertEqual(store.entries("network/"), [("n", {"mtu": 1400})])
            self.assertEqual((store.take("network/n"), store.take("network/n")), ({"mtu": 1400}, None))


if __name__ == "__main__":
    unittest.main()

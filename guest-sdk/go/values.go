package pontoon

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
	"pontoon.internal/sdk/bindings/pontoon_driver_random"
	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

// Option is a value that may be left out: its zero value is none.
type Option[T any] = witTypes.Option[T]

// Some is an option with a value.
func Some[T any](value T) Option[T] { return witTypes.Some(value) }

// RandomMacAddress is a MAC that nobody else has: random, of one station, locally administered.
func RandomMacAddress() net.HardwareAddr {
	mac := net.HardwareAddr(RandomBytes(6))
	mac[0] = mac[0]&^1 | 2
	return mac
}

// RandomBytes gives bytes that nobody can guess, at most 4,096.
func RandomBytes(count uint32) []byte {
	return pontoon_driver_random.Bytes(count)
}

// What follows makes the host's form of Go's values, and back. Go's zero value is none.

func witAddress(address netip.Addr) pontoon_driver_types.IpAddress {
	if address.Is4() {
		b := address.As4()
		return pontoon_driver_types.MakeIpAddressIpv4(pontoon_driver_types.Ipv4Address{F0: b[0], F1: b[1], F2: b[2], F3: b[3]})
	}
	b := address.As16()
	group := func(i int) uint16 { return binary.BigEndian.Uint16(b[2*i:]) }
	return pontoon_driver_types.MakeIpAddressIpv6(pontoon_driver_types.Ipv6Address{
		F0: group(0), F1: group(1), F2: group(2), F3: group(3), F4: group(4), F5: group(5), F6: group(6), F7: group(7),
	})
}

func fromAddress(address pontoon_driver_types.IpAddress) netip.Addr {
	if address.Tag() == pontoon_driver_types.IpAddressIpv4 {
		a := address.Ipv4()
		return netip.AddrFrom4([4]byte{a.F0, a.F1, a.F2, a.F3})
	}
	a := address.Ipv6()
	var b [16]byte
	for i, group := range [8]uint16{a.F0, a.F1, a.F2, a.F3, a.F4, a.F5, a.F6, a.F7} {
		binary.BigEndian.PutUint16(b[2*i:], group)
	}
	return netip.AddrFrom16(b)
}

func witAddressOption(address netip.Addr) Option[pontoon_driver_types.IpAddress] {
	if !address.IsValid() {
		return witTypes.None[pontoon_driver_types.IpAddress]()
	}
	return Some(witAddress(address))
}

func fromAddressOption(address Option[pontoon_driver_types.IpAddress]) netip.Addr {
	if address.IsNone() {
		return netip.Addr{}
	}
	return fromAddress(address.Some())
}

func witNetwork(network netip.Prefix) pontoon_driver_types.IpNetwork {
	return pontoon_driver_types.IpNetwork{Address: witAddress(network.Addr()), PrefixLength: uint8(network.Bits())}
}

func fromNetwork(network pontoon_driver_types.IpNetwork) netip.Prefix {
	return netip.PrefixFrom(fromAddress(network.Address), int(network.PrefixLength))
}

func witNetworkOption(network netip.Prefix) Option[pontoon_driver_types.IpNetwork] {
	if !network.IsValid() {
		return witTypes.None[pontoon_driver_types.IpNetwork]()
	}
	return Some(witNetwork(network))
}

func fromNetworkOption(network Option[pontoon_driver_types.IpNetwork]) netip.Prefix {
	if network.IsNone() {
		return netip.Prefix{}
	}
	return fromNetwork(network.Some())
}

func witMac(mac net.HardwareAddr) pontoon_driver_types.MacAddress {
	if len(mac) != 6 {
		panic(fmt.Sprintf("%q is no MAC of six bytes", mac.String()))
	}
	b := [6]byte(mac)
	return pontoon_driver_types.MacAddress{F0: b[0], F1: b[1], F2: b[2], F3: b[3], F4: b[4], F5: b[5]}
}

func fromMac(mac pontoon_driver_types.MacAddress) net.HardwareAddr {
	return net.HardwareAddr{mac.F0, mac.F1, mac.F2, mac.F3, mac.F4, mac.F5}
}

func witMacOption(mac net.HardwareAddr) Option[pontoon_driver_types.MacAddress] {
	if mac == nil {
		return witTypes.None[pontoon_driver_types.MacAddress]()
	}
	return Some(witMac(mac))
}

func macOption(mac Option[pontoon_driver_types.MacAddress]) net.HardwareAddr {
	if mac.IsNone() {
		return nil
	}
	return fromMac(mac.Some())
}

func fromTexts(texts pontoon_driver_types.TextMap) map[string]string {
	byKey := make(map[string]string, len(texts))
	for _, entry := range texts {
		byKey[entry.F0] = entry.F1
	}
	return byKey
}

// Texts is the host's form of texts by key, for the SDK's packages below exports. It is in the order of the keys: the same in every call.
func Texts(byKey map[string]string) pontoon_driver_types.TextMap {
	texts := make(pontoon_driver_types.TextMap, 0, len(byKey))
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		texts = append(texts, witTypes.Tuple2[string, string]{F0: key, F1: byKey[key]})
	}
	return texts
}

func nonZero[T comparable](value T) Option[T] {
	var zero T
	if value == zero {
		return witTypes.None[T]()
	}
	return Some(value)
}

func each[From, To any](values []From, convert func(From) To) []To {
	converted := make([]To, 0, len(values))
	for _, value := range values {
		converted = append(converted, convert(value))
	}
	return converted
}

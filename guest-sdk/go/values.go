package pontoon

import (
	"encoding/binary"
	"net"
	"net/netip"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
	"pontoon.internal/sdk/bindings/pontoon_driver_random"
	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

// The host's values.
type (
	IpAddress     = pontoon_driver_types.IpAddress
	IpNetwork     = pontoon_driver_types.IpNetwork
	WitMacAddress = pontoon_driver_types.MacAddress
)

// Some is an option with a value.
func Some[T any](value T) witTypes.Option[T] { return witTypes.Some(value) }

// None is an option without one.
func None[T any]() witTypes.Option[T] { return witTypes.None[T]() }

// Pointer is Go's form of an option.
func Pointer[T any](option witTypes.Option[T]) *T {
	if option.IsNone() {
		return nil
	}
	value := option.Some()
	return &value
}

// Option is the host's form of a pointer that may be nil.
func Option[T any](pointer *T) witTypes.Option[T] {
	if pointer == nil {
		return None[T]()
	}
	return Some(*pointer)
}

// Address is the host's form of an address.
func Address(address netip.Addr) IpAddress {
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

// FromAddress is Go's form of an address.
func FromAddress(address IpAddress) netip.Addr {
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

// Network is the host's form of an address with its prefix length.
func Network(network netip.Prefix) IpNetwork {
	return IpNetwork{Address: Address(network.Addr()), PrefixLength: uint8(network.Bits())}
}

// FromNetwork is Go's form of an address with its prefix length.
func FromNetwork(network IpNetwork) netip.Prefix {
	return netip.PrefixFrom(FromAddress(network.Address), int(network.PrefixLength))
}

// FromNetworkOption is Go's form of an optional network: the zero value for none.
func FromNetworkOption(network witTypes.Option[IpNetwork]) netip.Prefix {
	if network.IsNone() {
		return netip.Prefix{}
	}
	return FromNetwork(network.Some())
}

// MacAddress is the host's form of a MAC.
func MacAddress(mac net.HardwareAddr) WitMacAddress {
	return WitMacAddress{F0: mac[0], F1: mac[1], F2: mac[2], F3: mac[3], F4: mac[4], F5: mac[5]}
}

// FromMacAddress is Go's form of a MAC.
func FromMacAddress(mac WitMacAddress) net.HardwareAddr {
	return net.HardwareAddr{mac.F0, mac.F1, mac.F2, mac.F3, mac.F4, mac.F5}
}

// RandomMacAddress is a MAC that nobody else has: random, of one station, locally administered.
func RandomMacAddress() net.HardwareAddr {
	mac := net.HardwareAddr(pontoon_driver_random.Bytes(6))
	mac[0] = mac[0]&^1 | 2
	return mac
}

// Text is the text of a key, and whether there is one.
func Text(texts TextMap, key string) (string, bool) {
	for _, entry := range texts {
		if entry.F0 == key {
			return entry.F1, true
		}
	}
	return "", false
}

// Texts makes texts by key of pairs: Texts("a", "1", "b", "2").
func Texts(pairs ...string) TextMap {
	texts := make(TextMap, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		texts = append(texts, witTypes.Tuple2[string, string]{F0: pairs[i], F1: pairs[i+1]})
	}
	return texts
}

// NonZero is an option with the value, if that is not zero.
func NonZero[T comparable](value T) witTypes.Option[T] {
	var zero T
	if value == zero {
		return None[T]()
	}
	return Some(value)
}

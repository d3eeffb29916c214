// A bridge for every network and a pair of links for every container.
package main

import (
	"fmt"
	"hash/fnv"
	"net"
	"strconv"

	pontoon "pontoon.internal/sdk"
	links "pontoon.internal/sdk/bindings/pontoon_driver_links"
	namespaces "pontoon.internal/sdk/bindings/pontoon_driver_namespaces"
	_ "pontoon.internal/sdk/bindings/wit_exports"
)

// labelMTU is Docker's name for a network's MTU.
const labelMTU = "com.docker.network.driver.mtu"

type simple struct{}

func init() { pontoon.Export(simple{}) }

func main() {} // A component has exported functions only.

func (simple) Register() pontoon.Registration {
	return pontoon.Registration{NetworkType: "@NAME@"}
}

func (simple) CreateNetwork(network string, options *pontoon.NetworkOptions, _ *pontoon.NetworkInfo, ipv4, _ []pontoon.IpamData) error {
	bridge := links.LinkEnd{Name: links.MakeLinkNameExact(name("simple", network)), Up: true}
	if label, ok := pontoon.Text(options.Generic, labelMTU); ok {
		mtu, err := strconv.ParseUint(label, 10, 16)
		if err != nil {
			return pontoon.Errorf(pontoon.InvalidArgument, "%s=%q: no MTU", labelMTU, label)
		}
		bridge.Mtu = pontoon.NonZero(uint32(mtu))
	}
	for _, data := range ipv4 {
		if data.Gateway.IsSome() {
			bridge.Addresses = append(bridge.Addresses, data.Gateway.Some())
		}
	}
	return add(bridge, links.MakeLinkKindBridge())
}

func (simple) DeleteNetwork(network string) error {
	return nil // What a network still owns goes with it.
}

func (simple) CreateEndpoint(network, endpoint string, info *pontoon.InterfaceInfo, _ *pontoon.EndpointOptions) error {
	mac, err := chooseMacAddress(info)
	if err != nil {
		return err
	}
	bridge, err := get(name("simple", network))
	if err != nil {
		return err
	}
	is, err := pontoon.Try(bridge.Info())
	if err != nil {
		return err
	}
	mtu := pontoon.Some(is.Mtu)
	host := links.LinkEnd{Name: links.MakeLinkNameExact(name("host", endpoint)), Master: pontoon.Some(bridge), Mtu: mtu, Up: true}
	container := links.LinkEnd{
		Name:       links.MakeLinkNameExact(name("cont", endpoint)),
		Mtu:        mtu,
		MacAddress: pontoon.Some(pontoon.MacAddress(mac)),
	}
	return add(host, links.MakeLinkKindVeth(container))
}

func (simple) DeleteEndpoint(network, endpoint string) error {
	return nil
}

func (simple) EndpointOperInfo(network, endpoint string) (pontoon.TextMap, error) {
	return nil, nil
}

func (simple) Join(_, endpoint, _ string, info *pontoon.JoinInfo, _ *pontoon.EndpointOptions) error {
	link, err := get(name("cont", endpoint))
	if err != nil {
		return err
	}
	return pontoon.Do(info.InterfaceName().SetNames(link, "eth", pontoon.None[string]()))
}

func (simple) Leave(network, endpoint string) error {
	return nil
}

func chooseMacAddress(info *pontoon.InterfaceInfo) (net.HardwareAddr, error) {
	if mac := info.MacAddress(); mac.IsSome() {
		return pontoon.FromMacAddress(mac.Some()), nil
	}
	mac := pontoon.RandomMacAddress()
	return mac, pontoon.Do(info.SetMacAddress(pontoon.MacAddress(mac)))
}

// name is one of the kernel's, of at most 15 bytes. It has a hash of the id, because ids may begin alike.
func name(prefix, id string) string {
	sum := fnv.New32a()
	sum.Write([]byte(id))
	return fmt.Sprintf("%s-%08x", prefix, sum.Sum32())
}

func add(end links.LinkEnd, kind links.LinkKind) error {
	_, err := pontoon.Try(links.Add([]links.LinkSpec{{End: end, Kind: kind}}))
	return err
}

func get(name string) (*links.Link, error) {
	return pontoon.Try(links.Get(pontoon.None[*namespaces.Namespace](), name))
}

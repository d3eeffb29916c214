// A bridge for every network and a pair of links for every container.
package main

import (
	"fmt"
	"hash/fnv"
	"net"
	"strconv"

	pontoon "pontoon.internal/sdk"
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
	bridge := pontoon.LinkEnd{Name: name("simple", network), Up: true}
	if label, ok := options.Generic[labelMTU]; ok {
		mtu, err := strconv.ParseUint(label, 10, 16)
		if err != nil {
			return pontoon.Errorf(pontoon.InvalidArgument, "%s=%q: no MTU", labelMTU, label)
		}
		bridge.MTU = uint32(mtu)
	}
	for _, data := range ipv4 {
		if data.Gateway.IsValid() {
			bridge.Addresses = append(bridge.Addresses, data.Gateway)
		}
	}
	_, err := pontoon.AddBridge(bridge)
	return err
}

func (simple) DeleteNetwork(network string) error {
	return nil // What a network still owns goes with it.
}

func (simple) CreateEndpoint(network, endpoint string, info *pontoon.InterfaceInfo, _ *pontoon.EndpointOptions) error {
	mac, err := chooseMacAddress(info)
	if err != nil {
		return err
	}
	bridge, err := pontoon.GetLink(name("simple", network), nil)
	if err != nil {
		return err
	}
	is, err := bridge.Info()
	if err != nil {
		return err
	}
	host := pontoon.LinkEnd{Name: name("host", endpoint), Master: bridge, MTU: is.MTU, Up: true}
	container := pontoon.LinkEnd{Name: name("cont", endpoint), MTU: is.MTU, MacAddress: mac}
	_, _, err = pontoon.AddVeth(host, container)
	return err
}

func (simple) DeleteEndpoint(network, endpoint string) error {
	return nil
}

func (simple) EndpointOperInfo(network, endpoint string) (map[string]string, error) {
	return nil, nil
}

func (simple) Join(_, endpoint, _ string, info *pontoon.JoinInfo, _ *pontoon.EndpointOptions) error {
	link, err := pontoon.GetLink(name("cont", endpoint), nil)
	if err != nil {
		return err
	}
	return info.SetNames(link, "eth", "")
}

func (simple) Leave(network, endpoint string) error {
	return nil
}

func chooseMacAddress(info *pontoon.InterfaceInfo) (net.HardwareAddr, error) {
	if mac := info.MacAddress(); mac != nil {
		return mac, nil
	}
	mac := pontoon.RandomMacAddress()
	return mac, info.SetMacAddress(mac)
}

// name is one of the kernel's, of at most 15 bytes. It has a hash of the id, because ids may begin alike.
func name(prefix, id string) string {
	sum := fnv.New32a()
	sum.Write([]byte(id))
	return fmt.Sprintf("%s-%08x", prefix, sum.Sum32())
}

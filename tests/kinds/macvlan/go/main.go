// A macvlan link for every container, on a link of the host's: -o parent=LINK, and -o mode=bridge, private or vepa.
package main

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"strconv"

	pontoon "pontoon.internal/sdk"
	_ "pontoon.internal/sdk/bindings/wit_exports"
)

// labelMTU is Docker's name for a network's MTU.
const labelMTU = "com.docker.network.driver.mtu"

var modes = map[string]pontoon.MacvlanMode{
	"bridge": pontoon.MacvlanBridge, "private": pontoon.MacvlanPrivate, "vepa": pontoon.MacvlanVepa,
}

// version of what is remembered: the next number when Network changes.
const version = 1

// Network is what is remembered of a network.
type Network struct {
	Parent, Mode string
	MTU          uint32
	// Gateways has none on an internal network.
	Gateways []netip.Addr
}

type lan struct{}

func init() { pontoon.Export(lan{}) }

func main() {} // A component has exported functions only.

func (lan) Register() pontoon.Registration {
	return pontoon.Registration{NetworkType: "lan"}
}

func (lan) CreateNetwork(network string, options *pontoon.NetworkOptions, _ *pontoon.NetworkInfo, ipv4, ipv6 []pontoon.IpamData) error {
	if old, err := key(network).Get(); err != nil {
		return err
	} else if old != nil {
		return pontoon.Errorf(pontoon.AlreadyExists, "network %s is there already", network)
	}
	record, err := read(options)
	if err != nil {
		return err
	}
	if _, err := pontoon.GetLink(record.Parent, nil); err != nil {
		return fmt.Errorf("parent=%q: %w", record.Parent, err)
	}
	for _, data := range append(ipv4, ipv6...) {
		if data.Gateway.IsValid() && !options.Internal {
			record.Gateways = append(record.Gateways, data.Gateway.Addr())
		}
	}
	return key(network).Set(record)
}

func (lan) DeleteNetwork(network string) error {
	return key(network).Remove()
}

func (lan) CreateEndpoint(network, endpoint string, info *pontoon.InterfaceInfo, _ *pontoon.EndpointOptions) error {
	record, err := find(network)
	if err != nil {
		return err
	}
	mac := info.MacAddress()
	if mac == nil {
		mac = pontoon.RandomMacAddress()
		if err := info.SetMacAddress(mac); err != nil {
			return err
		}
	}
	parent, err := pontoon.GetLink(record.Parent, nil)
	if err != nil {
		return err
	}
	// In the container's own namespace, if it is known: a link that is made there need not be moved.
	end := pontoon.LinkEnd{Namespace: info.Sandbox(), Name: name("lan", endpoint), MacAddress: mac, MTU: record.MTU}
	_, err = pontoon.AddMacvlan(end, parent, modes[record.Mode])
	return err
}

func (lan) DeleteEndpoint(network, endpoint string) error {
	return nil // Its link goes with it, wherever that is.
}

func (lan) EndpointOperInfo(network, endpoint string) (map[string]string, error) {
	return nil, nil
}

func (lan) Join(network, endpoint, _ string, info *pontoon.JoinInfo, _ *pontoon.EndpointOptions) error {
	record, err := find(network)
	if err != nil {
		return err
	}
	// The link is on the host or in the container.
	link, err := pontoon.GetLink(name("lan", endpoint), nil)
	if sandbox := info.Sandbox(); pontoon.Is(err, pontoon.NotFound) && sandbox != nil {
		link, err = pontoon.GetLink(name("lan", endpoint), sandbox)
	}
	if err != nil {
		return err
	}
	if err := info.SetNames(link, "eth", ""); err != nil {
		return err
	}
	info.DisableGatewayService()
	for _, gateway := range record.Gateways {
		if err := info.SetGateway(gateway); err != nil {
			return err
		}
	}
	return nil
}

func (lan) Leave(network, endpoint string) error {
	return nil
}

// read makes a network of its options.
func read(options *pontoon.NetworkOptions) (*Network, error) {
	parent, ok := options.Generic["parent"]
	if !ok {
		return nil, pontoon.Errorf(pontoon.InvalidArgument, "no parent: say which link of the host's with -o parent=LINK")
	}
	mode, ok := options.Generic["mode"]
	if !ok {
		mode = "bridge"
	}
	if _, ok := modes[mode]; !ok {
		return nil, pontoon.Errorf(pontoon.InvalidArgument, "mode=%q: it is bridge, private or vepa", mode)
	}
	record := &Network{Parent: parent, Mode: mode}
	if label, ok := options.Generic[labelMTU]; ok {
		mtu, err := strconv.ParseUint(label, 10, 16)
		if err != nil {
			return nil, pontoon.Errorf(pontoon.InvalidArgument, "%s=%q: no MTU", labelMTU, label)
		}
		record.MTU = uint32(mtu)
	}
	return record, nil
}

func key(network string) pontoon.Key[Network] {
	return pontoon.Key[Network]{Name: "network/" + network, Version: version}
}

func find(network string) (*Network, error) {
	record, err := key(network).Get()
	if err == nil && record == nil {
		err = pontoon.Errorf(pontoon.NotFound, "no network %s", network)
	}
	return record, err
}

// name is one of the kernel's, of at most 15 bytes. It has a hash of the id, because ids may begin alike.
func name(prefix, id string) string {
	sum := fnv.New32a()
	sum.Write([]byte(id))
	return fmt.Sprintf("%s-%08x", prefix, sum.Sum32())
}

// A network over several hosts: a bridge and a vxlan link on each, and a table that says where every container is.
//
// --set address=ADDRESS is the address by which the other hosts reach this one.
package main

import (
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"strconv"
	"strings"

	pontoon "pontoon.internal/sdk"
	_ "pontoon.internal/sdk/bindings/wit_exports"
)

// labelMTU is Docker's name for a network's MTU.
const labelMTU = "com.docker.network.driver.mtu"

// table has an entry for each endpoint: its key is the endpoint's id, its value a peer.
const table = "peers"

// peer is where a container is.
type peer struct {
	mac       net.HardwareAddr
	host      netip.Addr
	addresses []netip.Addr
}

type mesh struct{}

func init() { pontoon.Export(mesh{}) }

func main() {} // A component has exported functions only.

func (mesh) Register() pontoon.Registration {
	return pontoon.Registration{NetworkType: "mesh"}
}

func (mesh) CreateNetwork(network string, options *pontoon.NetworkOptions, info *pontoon.NetworkInfo, _, _ []pontoon.IpamData) error {
	size, err := readMTU(options)
	if err != nil {
		return err
	}
	local, err := host()
	if err != nil {
		return err
	}
	bridge, err := pontoon.AddBridge(pontoon.LinkEnd{Name: name("mb", network), MTU: size, Up: true})
	if err != nil {
		return err
	}
	vxlan := pontoon.VxlanOptions{VNI: 1 + hash(network)%0xffffff, Port: 4789, Local: local, Proxy: true}
	end := pontoon.LinkEnd{Name: name("mx", network), MTU: size, Master: bridge, Up: true}
	if _, err := pontoon.AddVxlan(end, vxlan); err != nil {
		return err
	}
	return info.TableEventRegister(table, pontoon.ObjectEndpoint)
}

func (mesh) DeleteNetwork(network string) error {
	return nil // What a network still owns goes with it.
}

func (mesh) CreateEndpoint(network, endpoint string, info *pontoon.InterfaceInfo, _ *pontoon.EndpointOptions) error {
	bridge, err := pontoon.GetLink(name("mb", network), nil)
	if err != nil {
		return err
	}
	is, err := bridge.Info()
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
	end := pontoon.LinkEnd{Name: name("mh", endpoint), MTU: is.MTU, Master: bridge, Up: true}
	if _, _, err := pontoon.AddVeth(end, pontoon.LinkEnd{Name: name("mc", endpoint), MTU: is.MTU, MacAddress: mac}); err != nil {
		return err
	}
	itself := peer{mac: mac}
	if itself.host, err = host(); err != nil {
		return err
	}
	for _, address := range []netip.Prefix{info.Address(), info.AddressIPv6()} {
		if address.IsValid() {
			itself.addresses = append(itself.addresses, address.Addr())
		}
	}
	value := itself.String()
	return key(network, endpoint).Set(&value)
}

func (mesh) DeleteEndpoint(network, endpoint string) error {
	return key(network, endpoint).Remove() // Its links go with it.
}

func (mesh) EndpointOperInfo(network, endpoint string) (map[string]string, error) {
	return nil, nil
}

func (mesh) Join(network, endpoint, _ string, info *pontoon.JoinInfo, _ *pontoon.EndpointOptions) error {
	value, err := key(network, endpoint).Get()
	if err != nil {
		return err
	}
	if value == nil {
		return pontoon.Errorf(pontoon.NotFound, "no endpoint %s", endpoint)
	}
	link, err := pontoon.GetLink(name("mc", endpoint), nil)
	if err != nil {
		return err
	}
	if err := info.SetNames(link, "eth", ""); err != nil {
		return err
	}
	return info.AddTableEntry(table, endpoint, []byte(*value))
}

func (mesh) Leave(network, endpoint string) error {
	return nil
}

func (mesh) EventNotify(network, _, key string, event pontoon.TableEvent) error {
	link, err := pontoon.GetLink(name("mx", network), nil)
	if err != nil {
		return err
	}
	if peer := read(event.Previous); peer != nil {
		if err := pontoon.RemoveNeighbours(peer.neighbours(link)...); err != nil {
			return err
		}
		if err := pontoon.RemoveForwarding(peer.forwarding(link)); err != nil {
			return err
		}
	}
	peer := read(event.Value)
	if peer == nil {
		if event.Value != nil {
			// An error would bring the same entry again.
			pontoon.LogWarn("%s: %s is no entry of this driver's", table, key)
		}
		return nil
	}
	if err := pontoon.AddNeighbours(peer.neighbours(link)...); err != nil {
		return err
	}
	return pontoon.AddForwarding(peer.forwarding(link))
}

func (mesh) DecodeTableEntry(_, _ string, value []byte) (string, map[string]string, error) {
	peer := read(value)
	if peer == nil {
		return "", nil, pontoon.Errorf(pontoon.InvalidArgument, "no MAC, host and addresses")
	}
	words := strings.Fields(peer.String())
	details := map[string]string{"mac": words[0], "addresses": strings.Join(words[2:], " ")}
	return fmt.Sprintf("a container on %s", peer.host), details, nil
}

func (p peer) String() string {
	words := []string{p.mac.String(), p.host.String()}
	for _, address := range p.addresses {
		words = append(words, address.String())
	}
	return strings.Join(words, " ")
}

func (p peer) neighbours(link *pontoon.Link) []pontoon.Neighbour {
	var entries []pontoon.Neighbour
	for _, address := range p.addresses {
		entries = append(entries, pontoon.Neighbour{Link: link, Address: address, MacAddress: p.mac})
	}
	return entries
}

func (p peer) forwarding(link *pontoon.Link) pontoon.ForwardingEntry {
	return pontoon.ForwardingEntry{Link: link, MacAddress: p.mac, Remote: p.host}
}

// read is the peer that a value says, or nil.
func read(value []byte) *peer {
	words := strings.Split(string(value), " ")
	if len(words) < 2 {
		return nil
	}
	mac, err := net.ParseMAC(words[0])
	if err != nil || len(mac) != 6 {
		return nil
	}
	known := &peer{mac: mac}
	for i, word := range words[1:] {
		address, err := netip.ParseAddr(word)
		if err != nil {
			return nil
		}
		if i == 0 {
			known.host = address
		} else {
			known.addresses = append(known.addresses, address)
		}
	}
	return known
}

// host is the address by which the other hosts reach this one.
func host() (netip.Addr, error) {
	value, _ := pontoon.Configuration("address")
	address, err := netip.ParseAddr(value)
	if err != nil {
		err = pontoon.Errorf(pontoon.InvalidArgument, "address=%q is none: load the driver with --set address=ADDRESS, this host's own", value)
	}
	return address, err
}

func key(network, endpoint string) pontoon.Key[string] {
	return pontoon.Key[string]{Name: "endpoint/" + network + "/" + endpoint, Version: 1}
}

// readMTU is what the kernel leaves of 1500 bytes, if nothing else is said.
func readMTU(options *pontoon.NetworkOptions) (uint32, error) {
	label, ok := options.Generic[labelMTU]
	if !ok {
		return 1450, nil
	}
	number, err := strconv.ParseUint(label, 10, 16)
	if err != nil {
		return 0, pontoon.Errorf(pontoon.InvalidArgument, "%s=%q: no MTU", labelMTU, label)
	}
	return uint32(number), nil
}

func hash(id string) uint32 {
	sum := fnv.New32a()
	sum.Write([]byte(id))
	return sum.Sum32()
}

// name is one of the kernel's, of at most 15 bytes. It has a hash of the id, because ids may begin alike.
func name(prefix, id string) string {
	return fmt.Sprintf("%s-%08x", prefix, hash(id))
}

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
	configuration "pontoon.internal/sdk/bindings/pontoon_driver_configuration"
	links "pontoon.internal/sdk/bindings/pontoon_driver_links"
	log "pontoon.internal/sdk/bindings/pontoon_driver_log"
	namespaces "pontoon.internal/sdk/bindings/pontoon_driver_namespaces"
	neighbours "pontoon.internal/sdk/bindings/pontoon_driver_neighbours"
	types "pontoon.internal/sdk/bindings/pontoon_driver_types"
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
	mtu := pontoon.Some(size)
	local, err := host()
	if err != nil {
		return err
	}
	bridge, err := add(links.LinkEnd{Name: name("mb", network), Mtu: mtu, Up: true}, links.MakeLinkKindBridge())
	if err != nil {
		return err
	}
	vxlan := links.VxlanOptions{Vni: 1 + hash(network)%0xffffff, Port: 4789, Local: pontoon.Some(pontoon.Address(local)), Proxy: true}
	end := links.LinkEnd{Name: name("mx", network), Mtu: mtu, Master: pontoon.Some(bridge), Up: true}
	if _, err := add(end, links.MakeLinkKindVxlan(vxlan)); err != nil {
		return err
	}
	return pontoon.Do(info.TableEventRegister(table, types.ObjectTypeEndpoint))
}

func (mesh) DeleteNetwork(network string) error {
	return nil // What a network still owns goes with it.
}

func (mesh) CreateEndpoint(network, endpoint string, info *pontoon.InterfaceInfo, _ *pontoon.EndpointOptions) error {
	bridge, err := get(name("mb", network))
	if err != nil {
		return err
	}
	is, err := pontoon.Try(bridge.Info())
	if err != nil {
		return err
	}
	mac := info.MacAddress()
	if mac.IsNone() {
		mac = pontoon.Some(pontoon.MacAddress(pontoon.RandomMacAddress()))
		if err := pontoon.Do(info.SetMacAddress(mac.Some())); err != nil {
			return err
		}
	}
	mtu := pontoon.Some(is.Mtu)
	end := links.LinkEnd{Name: name("mh", endpoint), Mtu: mtu, Master: pontoon.Some(bridge), Up: true}
	container := links.LinkEnd{Name: name("mc", endpoint), Mtu: mtu, MacAddress: mac}
	if _, err := add(end, links.MakeLinkKindVeth(container)); err != nil {
		return err
	}
	itself := peer{mac: pontoon.FromMacAddress(mac.Some())}
	if itself.host, err = host(); err != nil {
		return err
	}
	for _, address := range []netip.Prefix{pontoon.FromNetworkOption(info.Address()), pontoon.FromNetworkOption(info.AddressIpv6())} {
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

func (mesh) EndpointOperInfo(network, endpoint string) (pontoon.TextMap, error) {
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
	link, err := get(name("mc", endpoint))
	if err != nil {
		return err
	}
	if err := pontoon.Do(info.InterfaceName().SetNames(link, "eth", pontoon.None[string]())); err != nil {
		return err
	}
	return pontoon.Do(info.AddTableEntry(table, endpoint, []byte(*value)))
}

func (mesh) Leave(network, endpoint string) error {
	return nil
}

func (mesh) EventNotify(network, _, key string, event pontoon.TableEvent) error {
	var gone, came []byte
	switch event.Tag() {
	case types.TableEventCreated:
		came = event.Created()
	case types.TableEventUpdated:
		gone, came = event.Updated().Previous, event.Updated().Value
	case types.TableEventDeleted:
		gone = event.Deleted()
	}
	link, err := get(name("mx", network))
	if err != nil {
		return err
	}
	if peer := read(gone); peer != nil {
		near, far := peer.entries(link)
		if err := pontoon.Do(neighbours.Remove(near)); err != nil {
			return err
		}
		if err := pontoon.Do(neighbours.RemoveForwarding(far)); err != nil {
			return err
		}
	}
	peer := read(came)
	if peer == nil {
		if event.Tag() != types.TableEventDeleted {
			// An error would bring the same entry again.
			log.Log(log.LevelWarn, fmt.Sprintf("%s: %s is no entry of this driver's", table, key))
		}
		return nil
	}
	near, far := peer.entries(link)
	if err := pontoon.Do(neighbours.Add(near)); err != nil {
		return err
	}
	return pontoon.Do(neighbours.AddForwarding(far))
}

func (mesh) DecodeTableEntry(_, _ string, value []byte) (string, pontoon.TextMap, error) {
	peer := read(value)
	if peer == nil {
		return "", nil, pontoon.Errorf(pontoon.InvalidArgument, "no MAC, host and addresses")
	}
	words := strings.Fields(peer.String())
	return fmt.Sprintf("a container on %s", peer.host), pontoon.Texts("mac", words[0], "addresses", strings.Join(words[2:], " ")), nil
}

func (p peer) String() string {
	words := []string{p.mac.String(), p.host.String()}
	for _, address := range p.addresses {
		words = append(words, address.String())
	}
	return strings.Join(words, " ")
}

// entries are the kernel's for a peer.
func (p peer) entries(link *links.Link) (near []neighbours.Neighbour, far []neighbours.ForwardingEntry) {
	mac := pontoon.MacAddress(p.mac)
	for _, address := range p.addresses {
		near = append(near, neighbours.Neighbour{Link: link, Address: pontoon.Address(address), MacAddress: mac})
	}
	return near, []neighbours.ForwardingEntry{{Link: link, MacAddress: mac, Remote: pontoon.Some(pontoon.Address(p.host))}}
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
	value := configuration.Get("address").SomeOr("")
	address, err := netip.ParseAddr(value)
	if err != nil {
		err = pontoon.Errorf(pontoon.InvalidArgument, "address=%q is none: load the driver with --set address=ADDRESS, this host's own", value)
	}
	return address, err
}

func key(network, endpoint string) pontoon.Key[string] {
	return pontoon.Key[string]("endpoint/" + network + "/" + endpoint)
}

// readMTU is what the kernel leaves of 1500 bytes, if nothing else is said.
func readMTU(options *pontoon.NetworkOptions) (uint32, error) {
	label, ok := pontoon.Text(options.Generic, labelMTU)
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
func name(prefix, id string) links.LinkName {
	return links.MakeLinkNameExact(fmt.Sprintf("%s-%08x", prefix, hash(id)))
}

func add(end links.LinkEnd, kind links.LinkKind) (*links.Link, error) {
	added, err := pontoon.Try(links.Add([]links.LinkSpec{{End: end, Kind: kind}}))
	if err != nil {
		return nil, err
	}
	return added[0].Link, nil
}

func get(name links.LinkName) (*links.Link, error) {
	return pontoon.Try(links.Get(pontoon.None[*namespaces.Namespace](), name.Exact()))
}

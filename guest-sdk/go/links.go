package pontoon

import (
	"net"
	"net/netip"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
	"pontoon.internal/sdk/bindings/pontoon_driver_links"
	"pontoon.internal/sdk/bindings/pontoon_driver_namespaces"
)

// Namespace is a network namespace. Where a function takes one, nil is the host's.
type Namespace struct {
	host *pontoon_driver_namespaces.Namespace
}

// HostNamespace is the namespace that Pontoon works in.
func HostNamespace() *Namespace {
	return &Namespace{pontoon_driver_namespaces.Host()}
}

// AddNamespace makes a namespace of the network's own, with its loopback up. It goes with the network.
func AddNamespace(name string) (*Namespace, error) {
	return namespace(try(pontoon_driver_namespaces.Add(name)))
}

// GetNamespace is a namespace that AddNamespace made.
func GetNamespace(name string) (*Namespace, error) {
	return namespace(try(pontoon_driver_namespaces.Get(name)))
}

func namespace(host *pontoon_driver_namespaces.Namespace, err error) (*Namespace, error) {
	if err != nil {
		return nil, err
	}
	return &Namespace{host}, nil
}

// Same says whether both are the same namespace.
func (n *Namespace) Same(other *Namespace) bool { return n.host.Same(other.host) }

// Remove removes a namespace that AddNamespace made, with all that is in it.
func (n *Namespace) Remove() error { return do(n.host.Remove()) }

func (n *Namespace) option() witTypes.Option[*pontoon_driver_namespaces.Namespace] {
	if n == nil {
		return witTypes.None[*pontoon_driver_namespaces.Namespace]()
	}
	return witTypes.Some(n.host)
}

// Link is one of the driver's own links, or a parent interface that its grant names.
type Link struct {
	host *pontoon_driver_links.Link
}

func (l *Link) option() witTypes.Option[*pontoon_driver_links.Link] {
	if l == nil {
		return witTypes.None[*pontoon_driver_links.Link]()
	}
	return witTypes.Some(l.host)
}

// LinkEnd is one end of a new link. Everything but the name may be left out.
type LinkEnd struct {
	// Namespace is where it is made; nil: in the host's.
	Namespace *Namespace
	// Name is its name. Where it is empty, the kernel adds the lowest free number to Prefix.
	Name, Prefix string
	// MacAddress: nil: the kernel chooses.
	MacAddress net.HardwareAddr
	// MTU in bytes, 68 to 65,535; 0: what fits the host (see links.link-end in wit).
	MTU uint32
	// Master is a bridge that it becomes a port of.
	Master *Link
	// Addresses that it gets, IPv6 ones without duplicate address detection.
	Addresses []netip.Prefix
	// Up: set up at once.
	Up bool
}

func (e LinkEnd) wit() pontoon_driver_links.LinkEnd {
	name := pontoon_driver_links.MakeLinkNameExact(e.Name)
	if e.Name == "" {
		name = pontoon_driver_links.MakeLinkNamePrefix(e.Prefix)
	}
	return pontoon_driver_links.LinkEnd{
		Namespace: e.Namespace.option(), Name: name, MacAddress: witMacOption(e.MacAddress), Mtu: nonZero(e.MTU),
		Master: e.Master.option(), Addresses: each(e.Addresses, witNetwork), Up: e.Up,
	}
}

// See MACVLAN_MODE_*, IPVLAN_MODE_* and IPVLAN_F_* in linux/if_link.h.
type (
	MacvlanMode uint8
	IpvlanMode  uint8
	IpvlanFlag  uint8
)

const (
	MacvlanPrivate  MacvlanMode = MacvlanMode(pontoon_driver_links.MacvlanModePrivate)
	MacvlanVepa     MacvlanMode = MacvlanMode(pontoon_driver_links.MacvlanModeVepa)
	MacvlanBridge   MacvlanMode = MacvlanMode(pontoon_driver_links.MacvlanModeBridge)
	MacvlanPassthru MacvlanMode = MacvlanMode(pontoon_driver_links.MacvlanModePassthru)

	IpvlanL2  IpvlanMode = IpvlanMode(pontoon_driver_links.IpvlanModeL2)
	IpvlanL3  IpvlanMode = IpvlanMode(pontoon_driver_links.IpvlanModeL3)
	IpvlanL3s IpvlanMode = IpvlanMode(pontoon_driver_links.IpvlanModeL3s)

	IpvlanBridge  IpvlanFlag = IpvlanFlag(pontoon_driver_links.IpvlanFlagBridge)
	IpvlanPrivate IpvlanFlag = IpvlanFlag(pontoon_driver_links.IpvlanFlagPrivate)
	IpvlanVepa    IpvlanFlag = IpvlanFlag(pontoon_driver_links.IpvlanFlagVepa)
)

// VxlanOptions are those of Ethernet in UDP; see IFLA_VXLAN_* in linux/if_link.h.
type VxlanOptions struct {
	// VNI is the VXLAN network identifier, 1 to 16,777,215.
	VNI uint32
	// Port is the UDP port; 4789 is the standard one.
	Port uint16
	// Parent is the link that packets leave through; nil: those that the host's routes choose, which is a permission of its own.
	Parent *Link
	// Local is the source address of packets, if one is given.
	Local netip.Addr
	// Remote is where packets go that no forwarding entry takes: an address, or a multicast group.
	Remote netip.Addr
	// Learning forwarding entries from packets.
	Learning bool
	// Proxy answers ARP and neighbour solicitations from the neighbour entries.
	Proxy bool
}

// AddBridge makes a bridge.
func AddBridge(end LinkEnd) (*Link, error) {
	return addLink(end, pontoon_driver_links.MakeLinkKindBridge())
}

// AddVeth makes a pair, and gives both ends.
func AddVeth(end, peer LinkEnd) (link, other *Link, err error) {
	added, err := addLinkOf(end, pontoon_driver_links.MakeLinkKindVeth(peer.wit()))
	if err != nil {
		return nil, nil, err
	}
	if added.Peer.IsNone() {
		return nil, nil, Errorf(Internal, "links.add gave no other end of a pair")
	}
	return &Link{added.Link}, &Link{added.Peer.Some()}, nil
}

// AddVxlan makes a vxlan link.
func AddVxlan(end LinkEnd, options VxlanOptions) (*Link, error) {
	return addLink(end, pontoon_driver_links.MakeLinkKindVxlan(pontoon_driver_links.VxlanOptions{
		Vni: options.VNI, Port: options.Port, Parent: options.Parent.option(), Local: witAddressOption(options.Local),
		Remote: witAddressOption(options.Remote), Learning: options.Learning, Proxy: options.Proxy,
	}))
}

// AddMacvlan makes a link with a MAC address of its own on a parent of the host's.
func AddMacvlan(end LinkEnd, parent *Link, mode MacvlanMode) (*Link, error) {
	options := pontoon_driver_links.MacvlanOptions{Parent: parent.host, Mode: uint8(mode)}
	return addLink(end, pontoon_driver_links.MakeLinkKindMacvlan(options))
}

// AddIpvlan makes a link with IP addresses of its own on a parent of the host's.
func AddIpvlan(end LinkEnd, parent *Link, mode IpvlanMode, flag IpvlanFlag) (*Link, error) {
	options := pontoon_driver_links.IpvlanOptions{Parent: parent.host, Mode: uint8(mode), Flag: uint8(flag)}
	return addLink(end, pontoon_driver_links.MakeLinkKindIpvlan(options))
}

// AddVlan makes an 802.1Q link with an id of 1 to 4094 on a parent of the host's.
func AddVlan(end LinkEnd, parent *Link, id uint16) (*Link, error) {
	return addLink(end, pontoon_driver_links.MakeLinkKindVlan(pontoon_driver_links.VlanOptions{Parent: parent.host, Id: id}))
}

// AddDummy makes a link that leads nowhere.
func AddDummy(end LinkEnd) (*Link, error) {
	return addLink(end, pontoon_driver_links.MakeLinkKindDummy())
}

func addLink(end LinkEnd, kind pontoon_driver_links.LinkKind) (*Link, error) {
	added, err := addLinkOf(end, kind)
	return linkOf(added.Link, err)
}

func linkOf(host *pontoon_driver_links.Link, err error) (*Link, error) {
	if err != nil {
		return nil, err
	}
	return &Link{host}, nil
}

func addLinkOf(end LinkEnd, kind pontoon_driver_links.LinkKind) (pontoon_driver_links.AddedLink, error) {
	added, err := try(pontoon_driver_links.Add([]pontoon_driver_links.LinkSpec{{End: end.wit(), Kind: kind}}))
	if err == nil && len(added) != 1 {
		err = Errorf(Internal, "links.add gave %d links for one", len(added))
	}
	if err != nil {
		return pontoon_driver_links.AddedLink{}, err
	}
	return added[0], nil
}

// GetLink is one of the driver's links, or on the host a parent interface, by name. A namespace of nil is the host's.
func GetLink(name string, namespace *Namespace) (*Link, error) {
	return linkOf(try(pontoon_driver_links.Get(namespace.option(), name)))
}

// ListLinks gives the network's links in a namespace.
func ListLinks(namespace *Namespace) ([]LinkInfo, error) {
	return tryEach(pontoon_driver_links.List(namespace.option()), linkInfo)
}

// LinkInfo is what a link is.
type LinkInfo struct {
	Name string
	// Kind is the kernel's name of the kind, e.g. "veth"; empty for a physical device.
	Kind string
	// MacAddress is nil for a link without one.
	MacAddress net.HardwareAddr
	MTU        uint32
	// Up: it is set up (IFF_UP).
	Up bool
	// Running: it can carry packets (IFF_RUNNING).
	Running bool
	// Master is the name of the link that it is a port of, if that is one that this driver sees.
	Master string
}

func linkInfo(info pontoon_driver_links.LinkInfo) LinkInfo {
	return LinkInfo{
		Name: info.Name, Kind: info.Kind, MacAddress: macOption(info.MacAddress), MTU: info.Mtu, Up: info.Up, Running: info.Running,
		Master: info.Master.SomeOr(""),
	}
}

// LinkChanges says what to change of a link; what is left out stays.
type LinkChanges struct {
	Name       string
	MacAddress net.HardwareAddr
	MTU        uint32
	Up         Option[bool]
	// Master is a bridge that it becomes a port of.
	Master *Link
	// NoMaster: it is no longer a port.
	NoMaster bool
	// Hairpin: as a bridge port, send packets back out of the port that they came in by.
	Hairpin Option[bool]
	// Isolated: as a bridge port, talk only to ports that are not isolated.
	Isolated Option[bool]
	// Learning: as a bridge port, learn addresses from packets.
	Learning Option[bool]
}

// Info is what the link is now.
func (l *Link) Info() (LinkInfo, error) {
	info, err := try(l.host.Info())
	return linkInfo(info), err
}

// Set changes what is given.
func (l *Link) Set(changes LinkChanges) error {
	master := witTypes.None[pontoon_driver_links.NewMaster]()
	switch {
	case changes.Master != nil:
		master = Some(pontoon_driver_links.MakeNewMasterBridge(changes.Master.host))
	case changes.NoMaster:
		master = Some(pontoon_driver_links.MakeNewMasterNothing())
	}
	return do(l.host.Set(pontoon_driver_links.LinkChanges{
		Name: nonZero(changes.Name), MacAddress: witMacOption(changes.MacAddress), Mtu: nonZero(changes.MTU), Up: changes.Up, Master: master,
		Hairpin: changes.Hairpin, Isolated: changes.Isolated, Learning: changes.Learning,
	}))
}

// Remove removes the link; of a pair, both ends. It is fine if the kernel removed it already.
func (l *Link) Remove() error { return do(l.host.Remove()) }

package pontoon

import (
	"net"
	"net/netip"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
	"pontoon.internal/sdk/bindings/pontoon_driver_addresses"
	"pontoon.internal/sdk/bindings/pontoon_driver_forwarding"
	"pontoon.internal/sdk/bindings/pontoon_driver_neighbours"
	"pontoon.internal/sdk/bindings/pontoon_driver_ports"
	"pontoon.internal/sdk/bindings/pontoon_driver_routes"
	"pontoon.internal/sdk/bindings/pontoon_driver_rules"
	"pontoon.internal/sdk/bindings/pontoon_driver_sysctls"
)

// AddAddresses gives a link addresses, IPv6 ones without duplicate address detection.
func AddAddresses(link *Link, addresses ...netip.Prefix) error {
	return do(pontoon_driver_addresses.Add(linkAddresses(link, addresses)))
}

// RemoveAddresses takes addresses from a link. It is fine if some are not there.
func RemoveAddresses(link *Link, addresses ...netip.Prefix) error {
	return do(pontoon_driver_addresses.Remove(linkAddresses(link, addresses)))
}

// ListAddresses gives all addresses of a link.
func ListAddresses(link *Link) ([]netip.Prefix, error) {
	return tryEach(pontoon_driver_addresses.List(link.host), fromNetwork)
}

func linkAddresses(link *Link, addresses []netip.Prefix) []pontoon_driver_addresses.LinkAddress {
	return each(addresses, func(address netip.Prefix) pontoon_driver_addresses.LinkAddress {
		return pontoon_driver_addresses.LinkAddress{Link: link.host, Address: witNetwork(address)}
	})
}

// Route through one of the driver's links. What is left out is not said.
type Route struct {
	Link *Link
	// Destination lies in one of the network's pools, or in a range that the grant names.
	Destination netip.Prefix
	// Gateway is the next hop, if there is one.
	Gateway netip.Addr
	// Source is the source address of packets from the host itself.
	Source netip.Addr
	// Table is the routing table; 0: main (254).
	Table uint32
	// Metric: the lower, the sooner; 0 and none are the same.
	Metric uint32
}

// AddRoutes adds routes.
func AddRoutes(routes ...Route) error {
	return do(pontoon_driver_routes.Add(each(routes, Route.wit)))
}

// RemoveRoutes removes routes. It is fine if some are not there.
func RemoveRoutes(routes ...Route) error {
	return do(pontoon_driver_routes.Remove(each(routes, Route.wit)))
}

// ListRoutes gives the routes through a link that this driver made, without their source addresses: see [ListWholeRoutes].
func ListRoutes(link *Link) ([]Route, error) {
	return tryEach(pontoon_driver_routes.List(link.host), func(info pontoon_driver_routes.RouteInfo) Route {
		return link.route(pontoon_driver_routes.WholeRoute{
			Destination: info.Destination, Gateway: info.Gateway, Table: info.Table, Metric: info.Metric,
		})
	})
}

// ListWholeRoutes gives the same with all that names a route: RemoveRoutes takes them.
func ListWholeRoutes(link *Link) ([]Route, error) {
	return tryEach(pontoon_driver_routes.ListWhole(link.host), link.route)
}

func (l *Link) route(route pontoon_driver_routes.WholeRoute) Route {
	return Route{
		Link: l, Destination: fromNetwork(route.Destination), Gateway: fromAddressOption(route.Gateway), Source: fromAddressOption(route.Source),
		Table: route.Table, Metric: route.Metric.SomeOr(0),
	}
}

func (r Route) wit() pontoon_driver_routes.Route {
	return pontoon_driver_routes.Route{
		Link: r.Link.host, Destination: witNetwork(r.Destination), Gateway: witAddressOption(r.Gateway), Source: witAddressOption(r.Source),
		Table: nonZero(r.Table), Metric: nonZero(r.Metric),
	}
}

// PolicyRule says which packets look into which routing table. One of Source, Destination and InputLink is given.
type PolicyRule struct {
	// Priority is 1 to 32,765; the lower, the sooner.
	Priority uint32
	// Source and Destination lie in one of the network's pools, or in a range that the grant names.
	Source, Destination netip.Prefix
	// InputLink is the link that packets come in by.
	InputLink *Link
	// Mark is the packet mark, and Mask its bits that count; a mask of 0: any mark.
	Mark, Mask uint32
	// Table is the routing table to look into.
	Table uint32
}

// AddPolicyRules adds rules, each for the family of its Source and Destination, and for IPv4 where it has neither: see
// [AddPolicyRulesOfFamily]. A namespace of nil is the host's.
func AddPolicyRules(rules []PolicyRule, namespace *Namespace) error {
	return do(pontoon_driver_rules.Add(namespace.option(), each(rules, PolicyRule.wit)))
}

// RemovePolicyRules removes rules. It is fine if some are not there.
func RemovePolicyRules(rules []PolicyRule, namespace *Namespace) error {
	return do(pontoon_driver_rules.Remove(namespace.option(), each(rules, PolicyRule.wit)))
}

// ListPolicyRules gives the network's rules in a namespace, without their families and input links: see [ListWholePolicyRules].
func ListPolicyRules(namespace *Namespace) ([]PolicyRule, error) {
	return tryEach(pontoon_driver_rules.List(namespace.option()), func(info pontoon_driver_rules.RuleInfo) PolicyRule {
		return wholePolicyRule(pontoon_driver_rules.WholeRule{
			Priority: info.Priority, Source: info.Source, Destination: info.Destination, Mark: info.Mark, Table: info.Table,
		}).PolicyRule
	})
}

// Family says whose packets a policy rule is for.
type Family uint8

const (
	FamilyIPv4 = Family(pontoon_driver_rules.FamilyIpv4)
	FamilyIPv6 = Family(pontoon_driver_rules.FamilyIpv6)
)

// AddPolicyRulesOfFamily adds rules for one family, said also where neither Source nor Destination says it.
func AddPolicyRulesOfFamily(family Family, rules []PolicyRule, namespace *Namespace) error {
	return do(pontoon_driver_rules.AddOfFamily(uint8(family), namespace.option(), each(rules, PolicyRule.wit)))
}

// RemovePolicyRulesOfFamily removes rules of one family. It is fine if some are not there.
func RemovePolicyRulesOfFamily(family Family, rules []PolicyRule, namespace *Namespace) error {
	return do(pontoon_driver_rules.RemoveOfFamily(uint8(family), namespace.option(), each(rules, PolicyRule.wit)))
}

// WholePolicyRule is a rule with all that names it. GetLink finds its InputLink by name, in the rule's namespace.
type WholePolicyRule struct {
	PolicyRule
	Family Family
	// InputLinkName is empty if the rule has no input link.
	InputLinkName string
}

// ListWholePolicyRules gives the network's rules in a namespace, of both families.
func ListWholePolicyRules(namespace *Namespace) ([]WholePolicyRule, error) {
	return tryEach(pontoon_driver_rules.ListWhole(namespace.option()), wholePolicyRule)
}

func wholePolicyRule(rule pontoon_driver_rules.WholeRule) WholePolicyRule {
	mark := rule.Mark.SomeOr(mark{})
	return WholePolicyRule{
		PolicyRule: PolicyRule{
			Priority: rule.Priority, Source: fromNetworkOption(rule.Source), Destination: fromNetworkOption(rule.Destination), Mark: mark.F0,
			Mask: mark.F1, Table: rule.Table,
		},
		Family: Family(rule.Family), InputLinkName: rule.InputLink.SomeOr(""),
	}
}

type mark = witTypes.Tuple2[uint32, uint32]

func (r PolicyRule) wit() pontoon_driver_rules.Rule {
	rule := pontoon_driver_rules.Rule{
		Priority: r.Priority, Source: witNetworkOption(r.Source), Destination: witNetworkOption(r.Destination), InputLink: r.InputLink.option(),
		Table: r.Table,
	}
	if r.Mask != 0 {
		rule.Mark = Some(mark{F0: r.Mark, F1: r.Mask})
	}
	return rule
}

// Neighbour is a permanent entry: who has an address.
type Neighbour struct {
	Link       *Link
	Address    netip.Addr
	MacAddress net.HardwareAddr
}

// AddNeighbours adds neighbour entries; one of the same address is replaced.
func AddNeighbours(neighbours ...Neighbour) error {
	return do(pontoon_driver_neighbours.Add(each(neighbours, Neighbour.wit)))
}

// RemoveNeighbours removes neighbour entries. It is fine if some are not there.
func RemoveNeighbours(neighbours ...Neighbour) error {
	return do(pontoon_driver_neighbours.Remove(each(neighbours, Neighbour.wit)))
}

// ListNeighbours gives the permanent neighbour entries of a link.
func ListNeighbours(link *Link) ([]Neighbour, error) {
	return tryEach(pontoon_driver_neighbours.List(link.host), func(info pontoon_driver_neighbours.NeighbourInfo) Neighbour {
		return Neighbour{Link: link, Address: fromAddress(info.Address), MacAddress: fromMac(info.MacAddress)}
	})
}

func (n Neighbour) wit() pontoon_driver_neighbours.Neighbour {
	return pontoon_driver_neighbours.Neighbour{Link: n.Link.host, Address: witAddress(n.Address), MacAddress: witMac(n.MacAddress)}
}

// ForwardingEntry is a permanent entry of a vxlan link (with a Remote) or of a bridge port: who is behind it.
type ForwardingEntry struct {
	Link       *Link
	MacAddress net.HardwareAddr
	// Remote is the host to send to.
	Remote netip.Addr
}

// AddForwarding adds forwarding entries; one of the same MAC is replaced.
func AddForwarding(entries ...ForwardingEntry) error {
	return do(pontoon_driver_neighbours.AddForwarding(each(entries, ForwardingEntry.wit)))
}

// RemoveForwarding removes forwarding entries. It is fine if some are not there.
func RemoveForwarding(entries ...ForwardingEntry) error {
	return do(pontoon_driver_neighbours.RemoveForwarding(each(entries, ForwardingEntry.wit)))
}

// ListForwarding gives the permanent forwarding entries of a link.
func ListForwarding(link *Link) ([]ForwardingEntry, error) {
	return tryEach(pontoon_driver_neighbours.ListForwarding(link.host), func(info pontoon_driver_neighbours.ForwardingInfo) ForwardingEntry {
		return ForwardingEntry{Link: link, MacAddress: fromMac(info.MacAddress), Remote: fromAddressOption(info.Remote)}
	})
}

func (e ForwardingEntry) wit() pontoon_driver_neighbours.ForwardingEntry {
	return pontoon_driver_neighbours.ForwardingEntry{
		Link: e.Link.host, MacAddress: witMac(e.MacAddress), Remote: witAddressOption(e.Remote),
	}
}

// AllowForwarding lets packets be forwarded between this link and other links of the host, for the families given.
func AllowForwarding(link *Link, ipv4, ipv6 bool) error {
	return do(pontoon_driver_forwarding.Allow(link.host, ipv4, ipv6))
}

// DisallowForwarding takes that back.
func DisallowForwarding(link *Link) error {
	return do(pontoon_driver_forwarding.Disallow(link.host))
}

// LinkSysctl is a setting of a link: a file of /proc/sys/net/ipv4/conf/LINK or ipv6.
type LinkSysctl uint8

const (
	IPv4ArpIgnore     = LinkSysctl(pontoon_driver_sysctls.LinkSysctlIpv4ArpIgnore)
	IPv4ArpAnnounce   = LinkSysctl(pontoon_driver_sysctls.LinkSysctlIpv4ArpAnnounce)
	IPv4Forwarding    = LinkSysctl(pontoon_driver_sysctls.LinkSysctlIpv4Forwarding)
	IPv4LogMartians   = LinkSysctl(pontoon_driver_sysctls.LinkSysctlIpv4LogMartians)
	IPv4ProxyArp      = LinkSysctl(pontoon_driver_sysctls.LinkSysctlIpv4ProxyArp)
	IPv4RouteLocalnet = LinkSysctl(pontoon_driver_sysctls.LinkSysctlIpv4RouteLocalnet)
	IPv4RpFilter      = LinkSysctl(pontoon_driver_sysctls.LinkSysctlIpv4RpFilter)
	IPv4SendRedirects = LinkSysctl(pontoon_driver_sysctls.LinkSysctlIpv4SendRedirects)
	IPv6AcceptDad     = LinkSysctl(pontoon_driver_sysctls.LinkSysctlIpv6AcceptDad)
	IPv6AcceptRa      = LinkSysctl(pontoon_driver_sysctls.LinkSysctlIpv6AcceptRa)
	IPv6Disable       = LinkSysctl(pontoon_driver_sysctls.LinkSysctlIpv6Disable)
	IPv6Forwarding    = LinkSysctl(pontoon_driver_sysctls.LinkSysctlIpv6Forwarding)
	IPv6ProxyNdp      = LinkSysctl(pontoon_driver_sysctls.LinkSysctlIpv6ProxyNdp)
)

// GetLinkSysctl is the value of a setting of one of the driver's links.
func GetLinkSysctl(link *Link, name LinkSysctl) (int32, error) {
	return try(pontoon_driver_sysctls.GetLink(link.host, uint8(name)))
}

// SetLinkSysctl sets it, back to what it was if the call fails.
func SetLinkSysctl(link *Link, name LinkSysctl, value int32) error {
	return do(pontoon_driver_sysctls.SetLink(link.host, uint8(name), value))
}

// NamespaceSysctl is a setting of a whole namespace.
type NamespaceSysctl uint8

const (
	NamespaceIPv4Forwarding          = NamespaceSysctl(pontoon_driver_sysctls.NamespaceSysctlIpv4Forwarding)
	NamespaceIPv6Forwarding          = NamespaceSysctl(pontoon_driver_sysctls.NamespaceSysctlIpv6Forwarding)
	NamespaceIPv4NeighbourThreshold1 = NamespaceSysctl(pontoon_driver_sysctls.NamespaceSysctlIpv4NeighbourThreshold1)
	NamespaceIPv4NeighbourThreshold2 = NamespaceSysctl(pontoon_driver_sysctls.NamespaceSysctlIpv4NeighbourThreshold2)
	NamespaceIPv4NeighbourThreshold3 = NamespaceSysctl(pontoon_driver_sysctls.NamespaceSysctlIpv4NeighbourThreshold3)
)

// GetNamespaceSysctl is the value of a setting of a namespace.
func GetNamespaceSysctl(namespace *Namespace, name NamespaceSysctl) (int32, error) {
	return try(pontoon_driver_sysctls.GetNamespace(namespace.host, uint8(name)))
}

// SetNamespaceSysctl sets it, back to what it was if the call fails.
func SetNamespaceSysctl(namespace *Namespace, name NamespaceSysctl, value int32) error {
	return do(pontoon_driver_sysctls.SetNamespace(namespace.host, uint8(name), value))
}

// TakePort takes the first port from first to last that is free on all of these addresses of the host; first 0: any port.
func TakePort(protocol uint8, addresses []netip.Addr, first, last uint16) (uint16, error) {
	return try(pontoon_driver_ports.Take(protocol, each(addresses, witAddress), first, last))
}

// ReleasePort gives a port back, on all of these addresses.
func ReleasePort(protocol uint8, addresses []netip.Addr, port uint16) error {
	return do(pontoon_driver_ports.Release(protocol, each(addresses, witAddress), port))
}

// TakePortRange takes all ports from first to last, on all of these addresses, or none.
func TakePortRange(protocol uint8, addresses []netip.Addr, first, last uint16) error {
	return do(pontoon_driver_ports.TakeRange(protocol, each(addresses, witAddress), first, last))
}

// ReleasePortRange gives a range back that TakePortRange took.
func ReleasePortRange(protocol uint8, addresses []netip.Addr, first, last uint16) error {
	return do(pontoon_driver_ports.ReleaseRange(protocol, each(addresses, witAddress), first, last))
}

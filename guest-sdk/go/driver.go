// Package pontoon is the SDK for drivers in Go: what generated bindings leave to the author.
//
// A driver is a value with the methods of [Driver], and of the optional parts that its world (wit/world.wit) exports; Export tells the SDK
// of it. Every call runs in a fresh instance: globals are as they were at start, and what is to be remembered goes into the store
// ([Key]). Every call is a transaction: what it changed stays if it returns nil, and is undone if it returns an error or panics.
//
// The host's functions are here, too, with Go's own values: netip's addresses, nil or zero where something is left out, and errors. What they
// do is documented in wit/deps/pontoon-driver. Borrowed handles are dropped by the SDK.
package pontoon

// Registration is what a driver says of itself.
type Registration struct {
	// NetworkType is 1 to 64 letters, digits, '-', '_' or '.'.
	NetworkType string
	// Global networks are known on all hosts of a cluster.
	Global bool
	// ConnectsHosts says that a network reaches over all hosts of a cluster.
	ConnectsHosts bool
}

// Driver is the part that every driver exports.
type Driver interface {
	Register() Registration
	CreateNetwork(network string, options *NetworkOptions, info *NetworkInfo, ipv4, ipv6 []IpamData) error
	DeleteNetwork(network string) error
	CreateEndpoint(network, endpoint string, info *InterfaceInfo, options *EndpointOptions) error
	DeleteEndpoint(network, endpoint string) error
	// EndpointOperInfo gives JSON text by key.
	EndpointOperInfo(network, endpoint string) (map[string]string, error)
	Join(network, endpoint, sandbox string, info *JoinInfo, options *EndpointOptions) error
	Leave(network, endpoint string) error
}

// ExternalConnectivity is the part external-connectivity. A gateway is the id of the endpoint that is it, empty where there is none.
type ExternalConnectivity interface {
	ProgramExternalConnectivity(network, endpoint string, gatewayIPv4, gatewayIPv6 string, options *EndpointOptions) error
	RevokeExternalConnectivity(network, endpoint string) error
}

// NetworkAllocator is the part network-allocator.
type NetworkAllocator interface {
	NetworkAllocate(network string, options map[string]string, ipv4, ipv6 []IpamData) (map[string]string, error)
	NetworkFree(network string) error
}

// TableWatcher is the part table-watcher.
type TableWatcher interface {
	EventNotify(network, table, key string, event TableEvent) error
	DecodeTableEntry(table, key string, value []byte) (title string, details map[string]string, err error)
}

// IPv6Releaser is the part ipv6-releaser.
type IPv6Releaser interface {
	ReleaseIPv6(network, endpoint string) error
}

// GatewayAllocationChecker is the part gateway-allocation-checker.
type GatewayAllocationChecker interface {
	SkipGatewayAllocation(options *NetworkOptions) (ipv4, ipv6 bool, err error)
}

// Migration is the part migration. Before is the schema that the state has.
type Migration interface {
	Schema() uint32
	MigrateNetwork(network string, before uint32) error
	MigrateEndpoint(network, endpoint string, before uint32) error
}

// Driver, Ipam, or both.
var exported any

// Export tells the SDK which value the driver is. Call it in an init function.
func Export(driver Driver) {
	exported = driver
}

// ExportIpam does the same for a component that only manages addresses.
func ExportIpam(ipam Ipam) {
	exported = ipam
}

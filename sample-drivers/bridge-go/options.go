package main

import (
	"net/netip"
	"strconv"

	pontoon "pontoon.internal/sdk"
)

// The labels, by Docker's names. Unknown ones are left alone.
const (
	labelName            = "com.docker.network.bridge.name"
	labelICC             = "com.docker.network.bridge.enable_icc"
	labelMasquerade      = "com.docker.network.bridge.enable_ip_masquerade"
	labelHostBinding     = "com.docker.network.bridge.host_binding_ipv4"
	labelInhibitIPv4     = "com.docker.network.bridge.inhibit_ipv4"
	labelGatewayMode4    = "com.docker.network.bridge.gateway_mode_ipv4"
	labelGatewayMode6    = "com.docker.network.bridge.gateway_mode_ipv6"
	labelMTU             = "com.docker.network.driver.mtu"
	labelInterfacePrefix = "com.docker.network.container_iface_prefix"
	labelHostIPv4        = "com.docker.network.host_ipv4"
	labelHostIPv6        = "com.docker.network.host_ipv6"
	labelInterfaceName   = "com.docker.network.endpoint.ifname"
)

// options of a network, with Docker's defaults.
type options struct {
	// name is the bridge's, if the user chose one.
	name string
	// icc: containers may talk to each other.
	icc bool
	// masquerade: what leaves for the outside gets the host's address.
	masquerade bool
	// hostBinding is where ports are published that name no host address; invalid: on all addresses of both families.
	hostBinding netip.Addr
	// inhibitIPv4: the bridge gets no IPv4 address.
	inhibitIPv4 bool
	// mtu of the bridge and of every container's link, in bytes; 0: the kernel's default.
	mtu uint32
	// interfacePrefix: the containers' links are named this and a number.
	interfacePrefix string
}

func readOptions(labels map[string]string) (options, error) {
	read := options{interfacePrefix: "eth"}
	for _, key := range []string{labelGatewayMode4, labelGatewayMode6} {
		if mode := labels[key]; mode != "" && mode != "nat" {
			return read, pontoon.Errorf(pontoon.NotImplemented, `%s="%s": only "nat" is implemented`, key, mode)
		}
	}
	for _, key := range []string{labelHostIPv4, labelHostIPv6} {
		if address := labels[key]; address != "" {
			return read, pontoon.Errorf(pontoon.NotImplemented, `%s="%s": only the bridge in Rust implements it`, key, address)
		}
	}
	// Docker takes an empty label for none.
	if prefix := labels[labelInterfacePrefix]; prefix != "" {
		read.interfacePrefix = prefix
	}
	read.name = labels[labelName]
	if text, ok := labels[labelHostBinding]; ok {
		address, err := netip.ParseAddr(text)
		if err != nil || !address.Is4() {
			return read, pontoon.Errorf(pontoon.InvalidArgument, `%s="%s": no IPv4 address`, labelHostBinding, text)
		}
		if !address.IsUnspecified() {
			read.hostBinding = address
		}
	}
	if text, ok := labels[labelMTU]; ok {
		mtu, err := strconv.ParseUint(text, 10, 32)
		// 0 is Docker's word for the kernel's default.
		if err != nil || mtu != 0 && (mtu < 68 || mtu > 65535) {
			return read, pontoon.Errorf(pontoon.InvalidArgument, `%s="%s": an MTU is 68 to 65535 bytes`, labelMTU, text)
		}
		read.mtu = uint32(mtu)
	}
	flags := []struct {
		key      string
		value    *bool
		fallback bool
	}{
		{labelICC, &read.icc, true},
		{labelMasquerade, &read.masquerade, true},
		{labelInhibitIPv4, &read.inhibitIPv4, false},
	}
	for _, flag := range flags {
		*flag.value = flag.fallback
		if text, ok := labels[flag.key]; ok {
			value, err := strconv.ParseBool(text)
			if err != nil {
				return read, pontoon.Errorf(pontoon.InvalidArgument, `%s="%s": neither true nor false`, flag.key, text)
			}
			*flag.value = value
		}
	}
	return read, nil
}

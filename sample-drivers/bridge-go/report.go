package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
)

// libnetwork's types.TransportPort.
type exposedPort struct {
	Proto uint8
	Port  uint16
}

// libnetwork's types.PortBinding.
type portBinding struct {
	Proto       uint8
	IP          netip.Addr
	Port        uint16
	HostIP      netip.Addr
	HostPort    uint16
	HostPortEnd uint16
}

// report gives MAC address, exposed and published ports of an endpoint, in the words of libnetwork's bridge driver.
func report(network, endpoint string) (map[string]string, error) {
	found, err := findEndpoint(network, endpoint)
	if err != nil {
		return nil, err
	}
	exposed, published := []exposedPort{}, []portBinding{}
	for _, port := range found.ExposedPorts {
		exposed = append(exposed, exposedPort{port.Protocol, port.Port})
	}
	for _, p := range found.Published {
		published = append(published, portBinding{p.Protocol, p.ContainerAddress, p.ContainerPort, p.HostAddress, p.HostPort, p.HostPort})
	}
	texts := map[string]string{}
	for _, entry := range []struct {
		key   string
		value any
	}{
		{"com.docker.network.endpoint.macaddress", found.MacAddress.String()},
		{"com.docker.network.endpoint.exposedports", exposed},
		{"com.docker.network.portmap", published},
	} {
		text, err := json.Marshal(entry.value)
		if err != nil {
			return nil, err
		}
		texts[entry.key] = string(text)
	}
	return texts, nil
}

func protocolName(protocol uint8) string {
	switch protocol {
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 132:
		return "sctp"
	default:
		return fmt.Sprint(protocol)
	}
}

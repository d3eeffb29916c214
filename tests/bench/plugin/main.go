// A bridge driver as somebody would write it today: a process with root's rights that speaks Docker's plugin protocol. It does what Pontoon's
// bridge does for a container without published ports: a bridge with masquerade and isolation for a network, a pair of links for an endpoint,
// and a file for each, so that a restart finds them. `docker.rs` measures with it.
//
//	plugin SOCKET FOLDER
package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

type network struct {
	Bridge  string
	Index   int
	Gateway string
}

type request struct {
	NetworkID  string
	EndpointID string
	IPv4Data   []struct{ Pool, Gateway string }
	Interface  struct{ Address, MacAddress string }
}

type answer map[string]any

type driver struct {
	kernel *kernel
	folder string
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("plugin SOCKET FOLDER")
	}
	kernel, err := openKernel()
	if err != nil {
		log.Fatal(err)
	}
	d := &driver{kernel, os.Args[2]}
	if err := os.MkdirAll(d.folder, 0o700); err != nil {
		log.Fatal(err)
	}
	calls := map[string]func(request) (answer, error){
		"CreateNetwork":    d.createNetwork,
		"DeleteNetwork":    d.deleteNetwork,
		"CreateEndpoint":   d.createEndpoint,
		"DeleteEndpoint":   d.deleteEndpoint,
		"Join":             d.join,
		"EndpointOperInfo": func(request) (answer, error) { return answer{"Value": answer{}}, nil },
		"GetCapabilities":  func(request) (answer, error) { return answer{"Scope": "local"}, nil },
	}
	for _, name := range []string{"Leave", "ProgramExternalConnectivity", "RevokeExternalConnectivity", "DiscoverNew", "DiscoverDelete"} {
		calls[name] = func(request) (answer, error) { return answer{}, nil }
	}
	for name, call := range calls {
		http.HandleFunc("/NetworkDriver."+name, serve(call))
	}
	http.HandleFunc("/Plugin.Activate", serve(func(request) (answer, error) { return answer{"Implements": []string{"NetworkDriver"}}, nil }))
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, nil))
}

func serve(call func(request) (answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var asked request
		// Plugin.Activate and GetCapabilities come without a body.
		_ = json.NewDecoder(r.Body).Decode(&asked)
		said, err := call(asked)
		w.Header().Set("Content-Type", "application/vnd.docker.plugins.v1.2+json")
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			said = answer{"Err": err.Error()}
		}
		_ = json.NewEncoder(w).Encode(said)
	}
}

func (d *driver) file(id string) string { return filepath.Join(d.folder, id) }

// A file is there as a whole or not at all.
func (d *driver) keep(id string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.file(id)+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(d.file(id)+".new", d.file(id))
}

func (d *driver) network(id string) (n network, err error) {
	text, err := os.ReadFile(d.file(id))
	if err == nil {
		err = json.Unmarshal(text, &n)
	}
	return n, err
}

func (d *driver) createNetwork(r request) (answer, error) {
	if len(r.IPv4Data) != 1 {
		return nil, fmt.Errorf("one IPv4 pool, not %d", len(r.IPv4Data))
	}
	address, subnet, err := net.ParseCIDR(r.IPv4Data[0].Gateway)
	if err != nil {
		return nil, err
	}
	bridge := "gb" + r.NetworkID[:12]
	if err := d.kernel.addBridge(bridge, address, subnet.Mask); err != nil {
		return nil, err
	}
	made, err := net.InterfaceByName(bridge)
	if err != nil {
		return nil, err
	}
	if err := nft(fmt.Sprintf(rules, bridge, subnet)); err != nil {
		return nil, err
	}
	return answer{}, d.keep(r.NetworkID, network{bridge, made.Index, address.String()})
}

const rules = `table ip %[1]s {
	chain forward {
		type filter hook forward priority filter;
		oifname %[1]s ct state established,related accept
		oifname %[1]s iifname != %[1]s drop
	}
	chain postrouting {
		type nat hook postrouting priority srcnat;
		ip saddr %[2]s oifname != %[1]s masquerade
	}
}`

func nft(script string) error {
	command := exec.Command("nft", "-f", "-")
	command.Stdin = strings.NewReader(script)
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, said)
	}
	return nil
}

func (d *driver) deleteNetwork(r request) (answer, error) {
	n, err := d.network(r.NetworkID)
	if err != nil {
		return nil, err
	}
	if err := nft("delete table ip " + n.Bridge); err != nil {
		return nil, err
	}
	if err := d.kernel.remove(n.Bridge); err != nil {
		return nil, err
	}
	return answer{}, os.Remove(d.file(r.NetworkID))
}

func ends(endpoint string) (string, string) { return "gh" + endpoint[:12], "gc" + endpoint[:12] }

func (d *driver) createEndpoint(r request) (answer, error) {
	n, err := d.network(r.NetworkID)
	if err != nil {
		return nil, err
	}
	mac, err := net.ParseMAC(r.Interface.MacAddress)
	chosen := answer{}
	if err != nil {
		mac = net.HardwareAddr{2, 0, 0, 0, 0, 0}
		if _, err := rand.Read(mac[1:]); err != nil {
			return nil, err
		}
		chosen["MacAddress"] = mac.String()
	}
	host, container := ends(r.EndpointID)
	if err := d.kernel.addPair(host, container, n.Index, mac); err != nil {
		return nil, err
	}
	return answer{"Interface": chosen}, d.keep(r.EndpointID, r)
}

func (d *driver) deleteEndpoint(r request) (answer, error) {
	host, _ := ends(r.EndpointID)
	if err := d.kernel.remove(host); err != nil {
		return nil, err
	}
	return answer{}, os.Remove(d.file(r.EndpointID))
}

func (d *driver) join(r request) (answer, error) {
	n, err := d.network(r.NetworkID)
	if err != nil {
		return nil, err
	}
	_, container := ends(r.EndpointID)
	return answer{"InterfaceName": answer{"SrcName": container, "DstPrefix": "eth"}, "Gateway": n.Gateway}, nil
}

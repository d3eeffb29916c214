package pontoon

import (
	"encoding/base64"
	"net/netip"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
	"pontoon.internal/sdk/bindings/pontoon_driver_links"
)

// PublicKey is one of WireGuard's. The private one is the kernel's alone.
type PublicKey [32]byte

// String is the key as wg shows it, in base64.
func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// ParsePublicKey reads what String gives.
func ParsePublicKey(text string) (PublicKey, error) {
	bytes, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(bytes) != 32 {
		return PublicKey{}, Errorf(InvalidArgument, "%q is no public key of WireGuard", text)
	}
	return PublicKey(bytes), nil
}

// Peer is the other end of a tunnel.
type Peer struct {
	// Key says who it is.
	Key PublicKey
	// Endpoint is where it is reached by UDP. Where it is left out, the peer has to send first.
	Endpoint netip.AddrPort
	// Allowed networks are behind it: packets to these go to it, and from it come only packets of theirs.
	Allowed []netip.Prefix
	// Keepalive is the seconds after which something is sent where nothing else was; 0: nothing is.
	Keepalive uint16
}

// AddWireguard makes a WireGuard link on the host, with a new private key. While it is up, it has this UDP port.
func AddWireguard(end LinkEnd, port uint16) (*Link, error) {
	return linkOf(try(pontoon_driver_links.AddWireguard(end.wit(), port)))
}

// PublicKey is that of a WireGuard link.
func (l *Link) PublicKey() (PublicKey, error) {
	bytes, err := try(pontoon_driver_links.ReadPublicKey(l.host))
	if err == nil && len(bytes) != 32 {
		err = Errorf(Internal, "links.read-public-key gave %d bytes", len(bytes))
	}
	if err != nil {
		return PublicKey{}, err
	}
	return PublicKey(bytes), nil
}

// SetPeers adds peers of a WireGuard link, at most 256; one with the same key becomes what is given.
func (l *Link) SetPeers(peers ...Peer) error {
	return do(pontoon_driver_links.SetPeers(l.host, each(peers, Peer.wit)))
}

// RemovePeers removes peers. It is fine if some are not there.
func (l *Link) RemovePeers(keys ...PublicKey) error {
	return do(pontoon_driver_links.RemovePeers(l.host, each(keys, func(key PublicKey) []byte { return key[:] })))
}

// Peers are those of a WireGuard link, each with the endpoint that it was heard from last.
func (l *Link) Peers() ([]Peer, error) {
	return tryEach(pontoon_driver_links.ListPeers(l.host), fromPeer)
}

func (p Peer) wit() pontoon_driver_links.WireguardPeer {
	endpoint := witTypes.None[pontoon_driver_links.UdpEndpoint]()
	if p.Endpoint.IsValid() {
		endpoint = Some(pontoon_driver_links.UdpEndpoint{Address: witAddress(p.Endpoint.Addr()), Port: p.Endpoint.Port()})
	}
	return pontoon_driver_links.WireguardPeer{
		PublicKey: p.Key[:], Endpoint: endpoint, Allowed: each(p.Allowed, witNetwork), Keepalive: nonZero(p.Keepalive),
	}
}

func fromPeer(peer pontoon_driver_links.WireguardPeer) Peer {
	found := Peer{Allowed: each(peer.Allowed, fromNetwork), Keepalive: peer.Keepalive.SomeOr(0)}
	copy(found.Key[:], peer.PublicKey)
	if peer.Endpoint.IsSome() {
		endpoint := peer.Endpoint.Some()
		found.Endpoint = netip.AddrPortFrom(fromAddress(endpoint.Address), endpoint.Port)
	}
	return found
}

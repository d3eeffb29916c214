/** Links: `addBridge({ name: 'br0', up: true })`. */

import * as host from 'pontoon:driver/links@0.1.1';
import type {
  IpvlanFlag, IpvlanMode, Link, LinkEnd as WitEnd, LinkInfo, LinkKind, MacvlanMode, VxlanOptions,
} from 'pontoon:driver/links@0.1.1';
import type { Namespace } from 'pontoon:driver/namespaces@0.1.1';

export type {
  IpvlanFlag, IpvlanMode, Link, LinkChanges, LinkInfo, MacvlanMode, NewMaster, PublicKey, VxlanOptions, WireguardPeer,
} from 'pontoon:driver/links@0.1.1';
export { listPeers, readPublicKey, removePeers, setPeers } from 'pontoon:driver/links@0.1.1';

/** One end of a new link. Everything but the name may be left out. Without a name, the kernel adds the lowest free number to the prefix. */
export type LinkEnd = Partial<Omit<WitEnd, 'name'>> & ({ name: string; prefix?: string } | { name?: string; prefix: string });

/** Makes a bridge. */
export function addBridge(end: LinkEnd): Link {
  return add(end, { tag: 'bridge' }).link;
}

/** Makes a pair, and gives its ends. */
export function addVeth(end: LinkEnd, peer: LinkEnd): [Link, Link] {
  const added = add(end, { tag: 'veth', val: wit(peer) });
  return [added.link, added.peer!];
}

/** Makes a vxlan link: Ethernet in UDP. Its port is 4789 if nothing else is said. */
export function addVxlan(end: LinkEnd, options: Partial<VxlanOptions> & { vni: number }): Link {
  return add(end, { tag: 'vxlan', val: { port: 4789, learning: false, proxy: false, ...options } }).link;
}

/** Makes a link with a MAC address of its own on a parent of the host's. */
export function addMacvlan(end: LinkEnd, parent: Link, mode: MacvlanMode): Link {
  return add(end, { tag: 'macvlan', val: { parent, mode } }).link;
}

/** Makes a link with IP addresses of its own on a parent of the host's. */
export function addIpvlan(end: LinkEnd, parent: Link, mode: IpvlanMode, flag: IpvlanFlag): Link {
  return add(end, { tag: 'ipvlan', val: { parent, mode, flag } }).link;
}

/** Makes an 802.1Q link with an id of 1 to 4094 on a parent of the host's. */
export function addVlan(end: LinkEnd, parent: Link, id: number): Link {
  return add(end, { tag: 'vlan', val: { parent, id } }).link;
}

/** Makes a link that leads nowhere. */
export function addDummy(end: LinkEnd): Link {
  return add(end, { tag: 'dummy' }).link;
}

/** Makes a WireGuard link on the host, with a new private key, which nobody is told. While it is up, it has this UDP port. */
export function addWireguard(end: LinkEnd, port: number): Link {
  return host.addWireguard(wit(end), port);
}

/** A link of this driver's, or on the host a parent interface, by name; without a namespace, on the host. */
export function get(name: string, namespace?: Namespace): Link {
  return host.get(namespace, name);
}

/** The network's links in a namespace; without one, on the host. */
export function list(namespace?: Namespace): LinkInfo[] {
  return host.list(namespace);
}

function add(end: LinkEnd, kind: LinkKind): host.AddedLink {
  return host.add([{ end: wit(end), kind }])[0]!;
}

function wit({ name, prefix, ...rest }: LinkEnd): WitEnd {
  const linkName: host.LinkName = name === undefined ? { tag: 'prefix', val: prefix! } : { tag: 'exact', val: name };
  return { addresses: [], up: false, ...rest, name: linkName };
}

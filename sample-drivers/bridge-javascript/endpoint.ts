/** An endpoint: the pair of links between bridge and container. */

import type { InterfaceInfo, JoinInfo } from 'pontoon:driver/capabilities@0.1.1';
import * as links from 'pontoon:driver/links@0.1.1';
import type { EndpointOptions, IpAddress, MacAddress, TransportPort } from 'pontoon:driver/types@0.1.1';
import { errors, store, values } from 'pontoon-sdk';

import { find as findNetwork, hash, type Network, removeLink } from './network.js';
import { type Published, withdraw } from './ports.js';

/** The name that the container's link is to have, where the user chose one. */
const INTERFACE_NAME = 'com.docker.network.endpoint.ifname';

/** What is remembered of an endpoint. */
export interface Endpoint {
  /** The container's MAC. */
  macAddress: MacAddress;
  ipv4?: IpAddress;
  ipv6?: IpAddress;
  /** The name of the link on the bridge. */
  hostLink: string;
  /** The name of the container's link, where it was made. */
  containerLink: string;
  /** It was made in the container's namespace. */
  isInSandbox: boolean;
  /** The name that the container's link is to have. */
  interfaceName?: string;
  /** The ports that the container serves. */
  exposedPorts: TransportPort[];
  /** The ports that are published now. */
  published: Published[];
}

const key = (network: string, endpoint: string): string => `endpoint/${network}/${endpoint}`;

/** The endpoint of this id, if it exists. */
export function get(network: string, endpoint: string): Endpoint | undefined {
  return store.get(key(network, endpoint));
}

/** The endpoint of this id, which must exist. */
export function find(network: string, endpoint: string): Endpoint {
  const found = get(network, endpoint);
  if (!found) throw errors.notFound(`no endpoint ${endpoint}`);
  return found;
}

/** Remembers an endpoint. */
export function save(network: string, endpoint: string, record: Endpoint): void {
  store.set(key(network, endpoint), record);
}

/** Makes an endpoint. */
export function create(network: string, endpoint: string, info: InterfaceInfo, options: EndpointOptions): void {
  if (get(network, endpoint)) throw errors.alreadyExists(`endpoint ${endpoint} is there already`);
  const macAddress = chooseMacAddress(info);
  const hostLink = `veth${hash(endpoint).slice(0, 7)}`;
  const interfaceName = new Map(options.generic).get(INTERFACE_NAME);
  const itsNetwork = findNetwork(network);
  // In the container's own namespace, if it is known: a link that is made there need not be moved.
  const sandbox = info.sandbox();
  const container = {
    namespace: sandbox,
    name: linkName(sandbox && (interfaceName ?? { prefix: itsNetwork.interfacePrefix }), hostLink),
    macAddress,
    mtu: itsNetwork.mtu,
    addresses: [],
    up: false,
  };
  const containerLink = errors.context(hostLink, () => addPair(itsNetwork, hostLink, container));
  save(network, endpoint, {
    macAddress,
    ipv4: info.address()?.address,
    ipv6: info.addressIpv6()?.address,
    hostLink,
    containerLink,
    isInSandbox: sandbox !== undefined,
    interfaceName,
    exposedPorts: options.exposedPorts,
    published: [],
  });
}

/** Removes an endpoint. There is nothing to do for one that is not there. */
export function remove(network: string, endpoint: string): void {
  withdraw(network, endpoint);
  const old = store.take<Endpoint>(key(network, endpoint));
  if (old) removeLink(old.hostLink);
}

/** Forgets the IPv6 address: the container can't use it. */
export function releaseIpv6(network: string, endpoint: string): void {
  save(network, endpoint, { ...find(network, endpoint), ipv6: undefined });
}

/** Says which link the container gets, and its gateways. */
export function join(network: string, endpoint: string, info: JoinInfo): void {
  const [itsNetwork, record] = [findNetwork(network), find(network, endpoint)];
  const sandbox = record.isInSandbox ? info.sandbox() : undefined;
  const link = links.get(sandbox, record.containerLink);
  info.interfaceName().setNames(link, itsNetwork.interfacePrefix, record.interfaceName);
  if (itsNetwork.internal) return;
  for (const gateway of itsNetwork.subnets.flatMap((subnet) => subnet.gateway ?? [])) {
    info.setGateway(gateway);
  }
}

/**
 * The user's MAC, or one that follows from the IPv4 address (02:42 and its bytes), as Docker gives them: when an address comes again with another
 * container, its neighbours still know the way. A random one where there is no IPv4.
 */
function chooseMacAddress(info: InterfaceInfo): MacAddress {
  const given = info.macAddress();
  if (given) return given;
  const address = info.address()?.address;
  const macAddress: MacAddress = address?.tag === 'ipv4' ? [0x02, 0x42, ...address.val] : values.randomMacAddress();
  info.setMacAddress(macAddress);
  return macAddress;
}

function linkName(inSandbox: string | { prefix: string } | undefined, hostLink: string): links.LinkName {
  if (inSandbox === undefined) return { tag: 'exact', val: `${hostLink}c` };
  return typeof inSandbox === 'string' ? { tag: 'exact', val: inSandbox } : { tag: 'prefix', val: inSandbox.prefix };
}

/** Makes the pair, one end on the bridge, and gives the name of the other back. */
function addPair(network: Network, hostLink: string, container: links.LinkEnd): string {
  const master = links.get(undefined, network.bridge);
  const end: links.LinkEnd = { name: { tag: 'exact', val: hostLink }, mtu: network.mtu, master, addresses: [], up: true };
  const { link, peer } = links.add([{ end, kind: { tag: 'veth', val: container } }])[0]!;
  // A container may reach itself through a port that it publishes.
  link.set({ hairpin: true, isolated: !network.icc });
  return peer!.info().name;
}

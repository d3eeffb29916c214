/** An endpoint: the pair of links between bridge and container. */

import { errors, links, store, values } from 'pontoon-sdk';
import type { EndpointOptions, InterfaceInfo, IpAddress, JoinInfo, MacAddress, TransportPort } from 'pontoon-sdk';

import { find as findNetwork, hash, type Network, removeLink, VERSION } from './network.js';
import { type Published, revoke } from './ports.js';

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

const key = (network: string, endpoint: string) => new store.Key<Endpoint>(`endpoint/${network}/${endpoint}`, VERSION);

/** The endpoint of this id, if it exists. */
export function get(network: string, endpoint: string): Endpoint | undefined {
  return key(network, endpoint).get();
}

/** The endpoint of this id, which must exist. */
export function find(network: string, endpoint: string): Endpoint {
  const found = get(network, endpoint);
  if (!found) throw errors.notFound(`no endpoint ${endpoint}`);
  return found;
}

/** Remembers an endpoint. */
export function save(network: string, endpoint: string, record: Endpoint): void {
  key(network, endpoint).set(record);
}

/** Makes an endpoint. */
export function create(network: string, endpoint: string, info: InterfaceInfo, options: EndpointOptions): void {
  if (get(network, endpoint)) throw errors.alreadyExists(`endpoint ${endpoint} is there already`);
  const macAddress = chooseMacAddress(info);
  const hostLink = `veth${hash(endpoint).slice(0, 10)}`;
  const interfaceName = new Map(options.generic).get(INTERFACE_NAME);
  const itsNetwork = findNetwork(network);
  // In the container's own namespace, if it is known: a link that is made there need not be moved.
  const sandbox = info.sandbox();
  const container = {
    namespace: sandbox,
    name: sandbox ? interfaceName : `${hostLink}c`,
    prefix: itsNetwork.interfacePrefix,
    macAddress,
    mtu: itsNetwork.mtu,
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
  revoke(network, endpoint);
  const old = key(network, endpoint).take();
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
  const link = links.get(record.containerLink, sandbox);
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

/** Makes the pair, one end on the bridge, and gives the name of the other back. */
function addPair(network: Network, hostLink: string, container: links.LinkEnd): string {
  const end = { name: hostLink, mtu: network.mtu, master: links.get(network.bridge), up: true };
  const [link, peer] = links.addVeth(end, container);
  // A container may reach itself through a port that it publishes.
  link.set({ hairpin: true, isolated: !network.icc });
  return peer.info().name;
}

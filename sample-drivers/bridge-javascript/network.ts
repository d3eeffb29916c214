/** A network: the bridge, its subnets, and the conflicts with other networks. */

import { errors, forwarding, links, nftables, store, sysctls, values } from 'pontoon-sdk';
import type { IpAddress, IpamData, IpNetwork, NetworkOptions } from 'pontoon-sdk';

import { readOptions } from './options.js';
import { rulesOfNetwork } from './rules.js';

/** The subnet of one family. The interface's values are plain ones, and go into the store as they are. */
export interface Subnet {
  /** Where the containers' addresses are from. */
  pool: IpNetwork;
  /** The bridge's own address. */
  bridge?: IpNetwork;
  /** The gateway that containers are given. */
  gateway?: IpAddress;
}

/** What is remembered of a network. */
export interface Network {
  /** The bridge's name. */
  bridge: string;
  /** At most one of each family. */
  subnets: Subnet[];
  /** It has no way out. */
  internal: boolean;
  icc: boolean;
  masquerade: boolean;
  /** Where ports are published that name no host address; undefined: on all addresses of both families. */
  hostBinding?: IpAddress;
  mtu?: number;
  interfacePrefix: string;
  /** Its rules, without those of its endpoints. */
  rules: nftables.RuleId[];
}

/** Of what is remembered: the next number when `Network`, `Endpoint` or what they hold changes. */
export const VERSION = 1;

const key = (network: string) => new store.Key<Network>(`network/${network}`, VERSION);
const bridgeKey = (name: string) => new store.Key<string>(`bridge/${name}`, VERSION);

/** The network of this id, which must exist. */
export function find(network: string): Network {
  const found = key(network).get();
  if (!found) throw errors.notFound(`no network ${network}`);
  return found;
}

/** Whether the network has this family. */
export function hasFamily(network: Network, family: IpAddress['tag']): boolean {
  return network.subnets.some((subnet) => subnet.pool.address.tag === family);
}

/** Makes a network. Whatever fails on the way, the host undoes what was done before. */
export function create(network: string, options: NetworkOptions, ipv4: IpamData[], ipv6: IpamData[]): void {
  const made = read(network, options, ipv4, ipv6);
  checkConflicts(network, made);
  const bridge = errors.context(`bridge ${made.bridge}`, () => addBridge(made));
  made.rules = nftables.add(rulesOfNetwork(made, bridge));
  bridgeKey(made.bridge).set(network);
  key(network).set(made);
}

/** Removes a network. There is nothing to do for one that is not there. */
export function remove(network: string): void {
  const old = key(network).take();
  if (!old) return;
  nftables.remove(old.rules);
  removeLink(old.bridge);
  bridgeKey(old.bridge).remove();
}

/** Removes one of the driver's links on the host, if it is there. */
export function removeLink(name: string): void {
  try {
    links.get(name).remove();
  } catch (error) {
    if (!errors.isKind(error, 'not-found')) throw error;
  }
}

/** Sixteen hexadecimal digits of FNV-1a: short, and the same in every build. */
export function hash(text: string): string {
  const mix = (hash: bigint, byte: number) => BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return [...new TextEncoder().encode(text)].reduce(mix, 0xcbf29ce484222325n).toString(16).padStart(16, '0');
}

function read(network: string, options: NetworkOptions, ipv4: IpamData[], ipv6: IpamData[]): Network {
  const { name, inhibitIpv4, ...labels } = readOptions(options.generic);
  const first = subnet(ipv4, 'DefaultGatewayIPv4').map((one) => (inhibitIpv4 ? { ...one, bridge: undefined } : one));
  const subnets = [...first, ...subnet(ipv6, 'DefaultGatewayIPv6')];
  return { ...labels, bridge: name ?? defaultName(network), subnets, internal: options.internal, rules: [] };
}

/** `br-` and twelve digits: of Docker's ids the first ones, of any other sort a hash's, because it may begin like its neighbours do. */
function defaultName(network: string): string {
  const digits = /^[0-9a-fA-F]{32,}$/.test(network) ? network : hash(network);
  return `br-${digits.slice(0, 12)}`;
}

/** The subnet of one family, if the network has that family. */
function subnet([data, ...more]: IpamData[], gatewayName: string): Subnet[] {
  if (!data) return [];
  if (more.length > 0) throw errors.forbidden("the bridge driver doesn't support several subnets of one family");
  if (!data.pool) throw errors.invalidArgument('the bridge driver needs an address pool');
  const gateway = new Map(data.auxAddresses).get(gatewayName) ?? data.gateway;
  return [{ pool: values.masked(data.pool), bridge: data.gateway, gateway: gateway?.address }];
}

/**
 * No two networks have the same bridge. (That no two have overlapping subnets, the host sees to.) Should another network be made at the same time,
 * the host sees that it changed what was read here, and runs the later call again.
 */
function checkConflicts(network: string, made: Network): void {
  if (key(network).get()) throw errors.alreadyExists(`network ${network} is there already`);
  const owner = bridgeKey(made.bridge).get();
  if (owner !== undefined) throw errors.forbidden(`bridge ${made.bridge} belongs to network ${owner}`);
}

function addBridge(network: Network): links.Link {
  const addresses = network.subnets.flatMap((subnet) => subnet.bridge ?? []);
  // Without a MAC of its own, a bridge takes that of a port, and changes it when ports come and go.
  const macAddress = values.randomMacAddress();
  const bridge = links.addBridge({ name: network.bridge, macAddress, mtu: network.mtu, addresses, up: true });
  setIpv6(bridge);
  if (!network.internal) {
    // For ports that are published on 127.0.0.1; the rules keep the containers from the host's own services.
    if (hasFamily(network, 'ipv4')) sysctls.setLink(bridge, 'ipv4-route-localnet', 1);
    forwarding.allow(bridge, hasFamily(network, 'ipv4'), hasFamily(network, 'ipv6'));
  }
  return bridge;
}

/**
 * A container must not become the host's router (CVE-2020-13401). And the bridge's link-local address, whose MAC nobody else has, must not wait two
 * seconds for a duplicate: until then the host could not ask for a container's MAC.
 */
function setIpv6(bridge: links.Link): void {
  const ENOENT = 2;
  try {
    sysctls.setLink(bridge, 'ipv6-accept-ra', 0);
    sysctls.setLink(bridge, 'ipv6-accept-dad', 0);
  } catch (error) {
    // A kernel without IPv6.
    if (errors.payload(error)?.kernelErrno !== ENOENT) throw error;
  }
}

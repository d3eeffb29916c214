/** Published ports: taken on the host, and the rules behind them. */

import { errors, nftables, ports, values, type IpAddress, type PortBinding } from 'pontoon-sdk';

import { type Endpoint, find as findEndpoint, get as getEndpoint, save } from './endpoint.js';
import { find as findNetwork, type Network } from './network.js';

/** Rules that the host takes at once. */
const RULES = 1_000;

/** All addresses of a family, on the host. */
const EVERYWHERE = {
  ipv4: { tag: 'ipv4', val: [0, 0, 0, 0] },
  ipv6: { tag: 'ipv6', val: [0, 0, 0, 0, 0, 0, 0, 0] },
} satisfies Record<string, IpAddress>;

/** The endpoints that are the container's gateways, by family. */
export interface Gateways {
  ipv4?: string;
  ipv6?: string;
}

/**
 * A port that is published, of one family, as short as can be, because a thousand of them have to fit into one value of the store: the protocol;
 * where the host listens; the port there; where packets go; the port there.
 */
export type Published = [protocol: number, host: string, hostPort: number, container: string, containerPort: number];

/** From where on the host to where in the container a binding leads. */
interface Route {
  host: IpAddress;
  container: IpAddress;
}

/** Publishes these ports instead of those that were published before. */
export function publish(network: string, endpoint: string, gateways: Gateways, bindings: PortBinding[]): void {
  const before = revoke(network, endpoint);
  const itsNetwork = findNetwork(network);
  const record = findEndpoint(network, endpoint);
  if (itsNetwork.internal) return;
  for (const binding of bindings) {
    record.published.push(...take(binding, routes(binding, endpoint, gateways, itsNetwork, record), before));
  }
  const rules = record.published.flatMap(rulesOf);
  for (let i = 0; i < rules.length; i += RULES) nftables.add(rules.slice(i, i + RULES));
  save(network, endpoint, record);
}

/** Takes all ports back and says which they were. There is nothing to do for an endpoint without any, or for none. */
export function revoke(network: string, endpoint: string): Published[] {
  const record = getEndpoint(network, endpoint);
  if (!record || record.published.length === 0) return [];
  // An endpoint has no other rules.
  const rules = nftables.list();
  for (let i = 0; i < rules.length; i += RULES) nftables.remove(rules.slice(i, i + RULES));
  for (const [protocol, host, port] of record.published) ports.release(protocol, [address(host)], port);
  save(network, endpoint, { ...record, published: [] });
  return record.published;
}

/** The routes of a binding, one for each family that it has. */
function routes(binding: PortBinding, id: string, gateways: Gateways, network: Network, endpoint: Endpoint): Route[] {
  const wanted = binding.hostAddress ?? network.hostBinding;
  const port = `port ${binding.containerPort}/${protocolName(binding.protocol)}`;
  if (wanted && gateways[wanted.tag] === undefined) {
    throw errors.invalidArgument(`${port} can't be published on ${values.text(wanted)}: the container has no gateway of that family`);
  }
  if (wanted && values.text(wanted) === '::1') {
    // It has no route_localnet for IPv6: a packet to ::1 is never sent elsewhere.
    throw errors.invalidArgument(`${port} can't be published on ::1: the kernel translates no packets to that address; use 127.0.0.1`);
  }
  return (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const named = binding.containerAddress?.tag === family ? binding.containerAddress : undefined;
    const container = named ?? endpoint[family];
    const host = wanted ?? EVERYWHERE[family];
    return container && host.tag === family && gateways[family] === id ? [{ host, container }] : [];
  });
}

function protocolName(protocol: number): string {
  return new Map([[6, 'tcp'], [17, 'udp'], [132, 'sctp']]).get(protocol) ?? String(protocol);
}

/** Takes a port of the host, the same one for all families of a binding. */
function take(binding: PortBinding, routes: Route[], before: Published[]): Published[] {
  if (routes.length === 0) return [];
  const hostPort = takeOne(binding, routes.map((route) => route.host), before);
  return routes.map(({ host, container }) => {
    return [binding.protocol, values.text(host), hostPort, values.text(container), binding.containerPort];
  });
}

function takeOne(binding: PortBinding, addresses: IpAddress[], before: Published[]): number {
  const { protocol, hostPort: first } = binding;
  const last = binding.hostPortEnd || first;
  // Where there is a choice, a port stays what it was when the gateways change.
  for (const [oldProtocol, , old, , containerPort] of before) {
    const isSame = oldProtocol === protocol && containerPort === binding.containerPort;
    if (!isSame || (first !== 0 && (old < first || old > last))) continue;
    try {
      return ports.take(protocol, addresses, old, old);
    } catch (error) {
      if (!errors.isKind(error, 'already-exists')) throw error;
    }
  }
  return ports.take(protocol, addresses, first, last);
}

/** What is sent to a published port goes to the container: from outside, and from the host itself. */
function rulesOf([protocol, listens, hostPort, container, containerPort]: Published): nftables.Rule[] {
  const host = address(listens);
  const destination = values.isUnspecified(host) ? nftables.DESTINATION_LOCAL : nftables.destination(values.host(host));
  const verdict = nftables.destinationNat(address(container), containerPort);
  return [nftables.NAT_PREROUTING, nftables.NAT_OUTPUT].map((chain) =>
    new nftables.Rule(chain, verdict).when(destination, nftables.protocol(protocol), nftables.destinationPort(hostPort)),
  );
}

/** An address that `values.text` wrote. */
function address(text: string): IpAddress {
  return values.parse(text)!;
}

/** Filter and translation of a whole network. What a published port adds stands in `ports`. */

import type { Link } from 'pontoon:driver/links@0.1.1';
import type { Property, Rule } from 'pontoon:driver/nftables@0.1.1';
import type { IpNetwork } from 'pontoon:driver/types@0.1.1';
import { nftables } from 'pontoon-sdk';

import { hasFamily, type Network, type Subnet } from './network.js';

const { FORWARD, NAT_POSTROUTING, RAW_PREROUTING, rule } = nftables;

/** 127.0.0.0/8. */
const LOOPBACK: IpNetwork = { address: { tag: 'ipv4', val: [127, 0, 0, 0] }, prefixLength: 8 };
const TRANSLATED: Property = { tag: 'destination-translated' };

/** The rules of a network, to be added together. */
export function rulesOfNetwork(network: Network, bridge: Link): Rule[] {
  const into: Property = { tag: 'output-link', val: bridge };
  const outOf: Property = { tag: 'input-link', val: bridge };
  const rules: Rule[] = network.internal ? noWayOut(into, outOf) : filter(into, outOf);
  if (!network.internal) {
    rules.push(...network.subnets.flatMap((subnet) => translation(subnet, network.masquerade, into)));
    if (hasFamily(network, 'ipv4')) rules.push(...loopback(into, outOf));
  }
  // Ports are isolated, but a packet that is sent to the gateway would be routed back.
  if (!network.icc) rules.push(rule(FORWARD, 'drop').when(outOf).when(into));
  return rules;
}

function noWayOut(into: Property, outOf: Property): Rule[] {
  return [rule(FORWARD, 'drop').when(outOf).unless(into), rule(FORWARD, 'drop').when(into).unless(outOf)];
}

/** Into the network come answers and what was sent to a published port, and nothing else. */
function filter(into: Property, outOf: Property): Rule[] {
  const answers: Property = { tag: 'connection', val: { established: true, related: true } };
  return [
    rule(FORWARD, 'accept').when(into).when(answers),
    rule(FORWARD, 'accept').when(into).when(TRANSLATED),
    rule(FORWARD, 'drop').when(into).unless(outOf),
  ];
}

function translation({ pool }: Subnet, masquerade: boolean, into: Property): Rule[] {
  const source: Property = { tag: 'source', val: pool };
  // A container that uses a published port of its own network has to get its answer through the host as well.
  const within = rule(NAT_POSTROUTING, 'masquerade').when(source).when({ tag: 'destination', val: pool }).when(TRANSLATED);
  return masquerade ? [rule(NAT_POSTROUTING, 'masquerade').when(source).unless(into), within] : [within];
}

/** Ports that are published on 127.0.0.1: the container can't answer to that address, and must not send to it. */
function loopback(into: Property, outOf: Property): Rule[] {
  return [
    rule(NAT_POSTROUTING, 'masquerade').when({ tag: 'source', val: LOOPBACK }).when(into),
    rule(RAW_PREROUTING, 'drop').when(outOf).when({ tag: 'destination', val: LOOPBACK }),
  ];
}

/** Filter and translation of a whole network. What a published port adds stands in `ports`. */

import { nftables, type IpNetwork, type links } from 'pontoon-sdk';

import { hasFamily, type Network, type Subnet } from './network.js';

const { ACCEPT, DESTINATION_TRANSLATED, DROP, ESTABLISHED_RELATED, FORWARD, MASQUERADE, NAT_POSTROUTING, RAW_PREROUTING, Rule } = nftables;
type Property = nftables.Property;

/** 127.0.0.0/8. */
const LOOPBACK: IpNetwork = { address: { tag: 'ipv4', val: [127, 0, 0, 0] }, prefixLength: 8 };

/** The rules of a network, to be added together. */
export function rulesOfNetwork(network: Network, bridge: links.Link): nftables.Rule[] {
  const [into, outOf] = [nftables.outputLink(bridge), nftables.inputLink(bridge)];
  const rules = network.internal ? noWayOut(into, outOf) : filter(into, outOf);
  if (!network.internal) {
    rules.push(...network.subnets.flatMap((subnet) => translation(subnet, network.masquerade, into)));
    if (hasFamily(network, 'ipv4')) rules.push(...loopback(into, outOf));
  }
  // Ports are isolated, but a packet that is sent to the gateway would be routed back.
  if (!network.icc) rules.push(new Rule(FORWARD, DROP).when(outOf, into));
  return rules;
}

function noWayOut(into: Property, outOf: Property): nftables.Rule[] {
  return [new Rule(FORWARD, DROP).when(outOf).unless(into), new Rule(FORWARD, DROP).when(into).unless(outOf)];
}

/** Into the network come answers and what was sent to a published port, and nothing else. */
function filter(into: Property, outOf: Property): nftables.Rule[] {
  return [
    new Rule(FORWARD, ACCEPT).when(into, ESTABLISHED_RELATED),
    new Rule(FORWARD, ACCEPT).when(into, DESTINATION_TRANSLATED),
    new Rule(FORWARD, DROP).when(into).unless(outOf),
  ];
}

function translation({ pool }: Subnet, masquerade: boolean, into: Property): nftables.Rule[] {
  const source = nftables.source(pool);
  // A container that uses a published port of its own network has to get its answer through the host as well.
  const within = new Rule(NAT_POSTROUTING, MASQUERADE).when(source, nftables.destination(pool), DESTINATION_TRANSLATED);
  return masquerade ? [new Rule(NAT_POSTROUTING, MASQUERADE).when(source).unless(into), within] : [within];
}

/** Ports that are published on 127.0.0.1: the container can't answer to that address, and must not send to it. */
function loopback(into: Property, outOf: Property): nftables.Rule[] {
  return [
    new Rule(NAT_POSTROUTING, MASQUERADE).when(nftables.source(LOOPBACK), into),
    new Rule(RAW_PREROUTING, DROP).when(outOf, nftables.destination(LOOPBACK)),
  ];
}

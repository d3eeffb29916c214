/** Rules that read like rules: `new Rule(FORWARD, DROP).when(inputLink(bridge))`, and whose ids can be kept. */

import type { Link } from 'pontoon:driver/links@0.1.1';
import type { Namespace } from 'pontoon:driver/namespaces@0.1.1';
import * as host from 'pontoon:driver/nftables@0.1.1';
import type { Chain, Condition, ConnectionStates, Property, Verdict } from 'pontoon:driver/nftables@0.1.1';
import type { IpAddress, IpNetwork } from 'pontoon:driver/types@0.1.1';

export type { Chain, Property, Verdict } from 'pontoon:driver/nftables@0.1.1';

/** The id of a rule, in decimal: JSON, and so the store, has no numbers of 64 bits. */
export type RuleId = string;

/** What comes in, before connection tracking. */
export const RAW_PREROUTING: Chain = { chainType: 'filter', hook: 'prerouting', priority: -300 };
/** What is forwarded. */
export const FORWARD: Chain = { chainType: 'filter', hook: 'forward', priority: 0 };
/** What the host sends. */
export const OUTPUT: Chain = { chainType: 'filter', hook: 'output', priority: 0 };
/** Where destinations of what comes in are translated. */
export const NAT_PREROUTING: Chain = { chainType: 'nat', hook: 'prerouting', priority: -100 };
/** Where destinations of what the host itself sends are translated. */
export const NAT_OUTPUT: Chain = { chainType: 'nat', hook: 'output', priority: -100 };
/** Where sources are translated. */
export const NAT_POSTROUTING: Chain = { chainType: 'nat', hook: 'postrouting', priority: 100 };

/** It passes this chain. */
export const ACCEPT: Verdict = { tag: 'accept' };
/** It goes no further. */
export const DROP: Verdict = { tag: 'drop' };
/** Its source becomes the address of the link that it leaves by. */
export const MASQUERADE: Verdict = { tag: 'masquerade' };
/** Its source becomes this. */
export const sourceNat = (address: IpAddress, port?: number): Verdict => ({ tag: 'source-nat', val: { address, port } });
/** Its destination becomes this, in one of the network's pools. */
export const destinationNat = (address: IpAddress, port?: number): Verdict => ({ tag: 'destination-nat', val: { address, port } });

/** It goes to an address of this namespace (fib daddr type local). */
export const DESTINATION_LOCAL: Property = { tag: 'destination-local' };
/** The connection's destination was translated (ct status dnat). */
export const DESTINATION_TRANSLATED: Property = { tag: 'destination-translated' };
/** Answers, and what belongs to them. */
export const ESTABLISHED_RELATED: Property = { tag: 'connection', val: { established: true, related: true } };
/** It came in by this link. */
export const inputLink = (link: Link): Property => ({ tag: 'input-link', val: link });
/** It leaves by this link. */
export const outputLink = (link: Link): Property => ({ tag: 'output-link', val: link });
/** It comes from there. */
export const source = (network: IpNetwork): Property => ({ tag: 'source', val: network });
/** It goes there. */
export const destination = (network: IpNetwork): Property => ({ tag: 'destination', val: network });
/** The IP protocol's number is this. */
export const protocol = (number: number): Property => ({ tag: 'protocol', val: number });
/** Needs a `protocol` of TCP, UDP or SCTP before it in the rule. */
export const sourcePort = (first: number, last = first): Property => ({ tag: 'source-port', val: { first, last } });
/** Needs a `protocol` of TCP, UDP or SCTP before it in the rule. */
export const destinationPort = (first: number, last = first): Property => ({ tag: 'destination-port', val: { first, last } });
/** The state of its connection is one of these. */
export const connection = (states: ConnectionStates): Property => ({ tag: 'connection', val: states });

/** A rule of a chain, without a condition at first. */
export class Rule implements host.Rule {
  constructor(readonly chain: Chain, readonly verdict: Verdict, readonly conditions: Condition[] = []) {}

  /** The rule where these properties must hold, too. */
  when(...properties: Property[]): Rule {
    return this.#with(properties, false);
  }

  /** The rule where these properties must not hold. */
  unless(...properties: Property[]): Rule {
    return this.#with(properties, true);
  }

  #with(properties: Property[], negated: boolean): Rule {
    return new Rule(this.chain, this.verdict, [...this.conditions, ...properties.map((property) => ({ property, negated }))]);
  }
}

/** Adds rules at the ends of their chains, of the host's namespace where none is given. */
export function add(rules: Rule[], namespace?: Namespace): RuleId[] {
  return [...host.add(namespace, rules)].map(String);
}

/** Removes rules. Nothing to do for those that are not there. */
export function remove(ids: RuleId[]): void {
  host.remove(BigUint64Array.from(ids.map(BigInt)));
}

/** The rules of the call's endpoint, or of its network where the call has no endpoint. */
export function list(): RuleId[] {
  return [...host.list()].map(String);
}

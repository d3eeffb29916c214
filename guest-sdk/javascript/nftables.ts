/** Rules that read like rules: `new Rule(FORWARD, DROP).when(inputLink(bridge))`, and whose ids can be kept. */

import type { Link } from 'pontoon:driver/links@0.1.1';
import type { Namespace } from 'pontoon:driver/namespaces@0.1.1';
import * as host from 'pontoon:driver/nftables@0.1.1';
import type {
  Action, Chain, Condition, ConnectionStates, Counter, Element, PacketCondition, PacketField, PacketProperty, Property, Rate, Rejection, SetKind,
  Statement, TcpFlags, Verdict,
} from 'pontoon:driver/nftables@0.1.1';
import type { IpAddress, IpNetwork } from 'pontoon:driver/types@0.1.1';

export type {
  Action, Chain, Counter, Element, PacketField, PacketProperty, Property, Rate, Rejection, SetKind, Statement, Verdict,
} from 'pontoon:driver/nftables@0.1.1';

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

/** An element of a set of addresses. */
export const element = (network: IpNetwork): Element => ({ tag: 'network', val: network });
/** An element of a set of ports. */
export const portsElement = (first: number, last = first): Element => ({ tag: 'ports', val: { first, last } });

/** An element of a map of the host's ports: what comes to this port goes there. */
export const hostPortElement = (protocol: number, port: number, address: IpAddress, targetPort: number): Element => ({
  tag: 'host-port', val: { protocol, port, address, targetPort },
});
/** An element of a map of marks. */
export const markElement = (network: IpNetwork, mark: number): Element => ({ tag: 'mark', val: { network, mark } });

/** Makes an empty set, which belongs to the endpoint or network of the call. */
export function addSet(name: string, kind: SetKind, namespace?: Namespace): void {
  host.addSet(namespace, name, kind);
}

/** Removes a set that no rule looks into. Nothing to do if it is not there. */
export function removeSet(name: string): void {
  host.removeSet(name);
}

/** The names of the network's sets. */
export function listSets(): string[] {
  return host.listSets();
}

/** Adds to a set. What is added belongs to the endpoint or network of the call. */
export function addElements(set: string, ...elements: Element[]): void {
  host.addElements(set, elements);
}

/** Removes from a set. Nothing to do for what is not in it. */
export function removeElements(set: string, ...elements: Element[]): void {
  host.removeElements(set, elements);
}

/** What is in a set. */
export function listElements(set: string): Element[] {
  return host.listElements(set);
}

/** A set has this part of the packet in it. One of ports needs a `protocol` before it in the rule, as `destinationPort` does. */
export const inSet = (set: string, field: PacketField): PacketProperty => ({ tag: 'member', val: { field, set } });
/** Of the packet's mark, the bits of the mask are these. */
export const mark = (value: number, mask: number): PacketProperty => ({ tag: 'mark', val: { value, mask } });
/** Of the flags in the mask, those in `set` are set and no others. Needs a `protocol` of TCP before it in the rule. */
export const tcpFlags = (set: TcpFlags, mask: TcpFlags): PacketProperty => ({ tag: 'tcp-flags', val: { set, mask } });
/** The type of an ICMP message. Needs a `protocol` of ICMP or ICMPv6 before it in the rule. */
export const icmpType = (number: number): PacketProperty => ({ tag: 'icmp-type', val: number });

/** Counts packets and bytes: see `readCounters`. Once in a rule. */
export const COUNTER: Statement = { tag: 'counter' };
/** The packet is in no connection. It is a permission of its own. */
export const UNTRACK: Statement = { tag: 'untrack' };
/** The rule goes on for packets up to this rate, and ends for the rest. */
export const limit = (rate: Rate): Statement => ({ tag: 'limit', val: rate });
/** Sets bits of the packet's mark. The grant names them. */
export const setMark = (value: number, mask: number): Statement => ({ tag: 'set-mark', val: { value, mask } });
/** The packet's mark becomes what a map of marks has for the address, where it has no other bits than the mask's. The grant names those. */
export const setMarkBy = (field: PacketField, map: string, mask: number): Statement => ({ tag: 'set-mark-by', val: { field, set: map, mask } });
/** Makes the largest segment that a TCP connection is told no larger than this; without a size, than the MTU of the route allows. */
export const clampSegmentSize = (size?: number): Statement => ({
  tag: 'clamp-segment-size', val: size === undefined ? { tag: 'route' } : { tag: 'exact', val: size },
});

/** It goes on to the next rule. */
export const PROCEED: Action = { tag: 'proceed' };
/** A verdict that a `Rule` has, too. */
export const lastly = (verdict: Verdict): Action => ({ tag: 'plain', val: verdict });
/** It is dropped, and its sender is told. */
export const reject = (rejection: Rejection): Action => ({ tag: 'reject', val: rejection });
/** It is logged, at most so many a second, and goes on. It is a permission of its own. */
export const logPackets = (prefix: string, rate: number): Action => ({ tag: 'log', val: { prefix, rate } });
/** What comes to a port of the host that this map has goes where it says. */
export const destinationNatBy = (map: string): Action => ({ tag: 'destination-nat-by', val: map });

/** A property that a `Rule` has, too. */
export const plain = (property: Property): PacketProperty => ({ tag: 'plain', val: property });

/** A rule with more than a `Rule` has: `new PacketRule(FORWARD, PROCEED).when(plain(inputLink(bridge))).and(COUNTER)`. */
export class PacketRule implements host.PacketRule {
  constructor(
    readonly chain: Chain, readonly action: Action, readonly conditions: PacketCondition[] = [], readonly statements: Statement[] = [],
  ) {}

  /** The rule where these properties must hold, too. */
  when(...properties: PacketProperty[]): PacketRule {
    return this.#with(properties, false);
  }

  /** The rule where these properties must not hold. */
  unless(...properties: PacketProperty[]): PacketRule {
    return this.#with(properties, true);
  }

  /** The rule that does these, too, in this order. */
  and(...statements: Statement[]): PacketRule {
    return new PacketRule(this.chain, this.action, this.conditions, [...this.statements, ...statements]);
  }

  #with(properties: PacketProperty[], negated: boolean): PacketRule {
    const more = properties.map((property) => ({ property, negated }));
    return new PacketRule(this.chain, this.action, [...this.conditions, ...more], this.statements);
  }
}

/** Adds rules at the ends of their chains, as `add` does; `remove` is for these, too. */
export function addPacketRules(rules: PacketRule[], namespace?: Namespace): RuleId[] {
  return [...host.addPacketRules(namespace, rules)].map(String);
}

/** What rules of the network have counted; undefined for one without a counter. */
export function readCounters(ids: RuleId[]): (Counter | undefined)[] {
  return host.readCounters(BigUint64Array.from(ids.map(BigInt)));
}

/** Rules that read like rules: `rule(FORWARD, 'drop').when({ tag: 'input-link', val: bridge })`, and whose ids can be kept. */

import type { Namespace } from 'pontoon:driver/namespaces@0.1.1';
import * as host from 'pontoon:driver/nftables@0.1.1';
import type { Chain, Condition, Property, Rule, Verdict } from 'pontoon:driver/nftables@0.1.1';

/** The id of a rule, in decimal: JSON, and so the store, has no numbers of 64 bits. */
export type RuleId = string;

/** What is forwarded. */
export const FORWARD: Chain = { chainType: 'filter', hook: 'forward', priority: 0 };
/** What comes in, before everything else. */
export const RAW_PREROUTING: Chain = { chainType: 'filter', hook: 'prerouting', priority: -300 };
/** Where destinations of what comes in are translated. */
export const NAT_PREROUTING: Chain = { chainType: 'nat', hook: 'prerouting', priority: -100 };
/** Where destinations of what the host itself sends are translated. */
export const NAT_OUTPUT: Chain = { chainType: 'nat', hook: 'output', priority: -100 };
/** Where sources are translated. */
export const NAT_POSTROUTING: Chain = { chainType: 'nat', hook: 'postrouting', priority: 100 };

/** A rule that is put together. */
export class Draft implements Rule {
  readonly conditions: Condition[] = [];

  constructor(readonly chain: Chain, readonly verdict: Verdict) {}

  /** The property must hold. */
  when(property: Property): this {
    this.conditions.push({ property, negated: false });
    return this;
  }

  /** The property must not hold. */
  unless(property: Property): this {
    this.conditions.push({ property, negated: true });
    return this;
  }
}

/** A rule of a chain, without a condition yet. */
export function rule(chain: Chain, verdict: Verdict | 'accept' | 'drop' | 'masquerade'): Draft {
  return new Draft(chain, typeof verdict === 'string' ? { tag: verdict } : verdict);
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

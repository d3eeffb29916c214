/** Rules that read like rules: `rule(FORWARD, 'drop').when({ tag: 'input-link', val: bridge })`. */

import type { Chain, Condition, Property, Rule, Verdict } from 'pontoon:driver/nftables@0.1.0';

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

/**
 * Address management by a plan that people read: addresses in order from named ranges, and fixed ones for the machines that are named by MAC.
 *
 * `plan` reads what the operator configured, `pools` gives pools, `numbers` counts addresses. What is remembered lies in the store:
 *
 * | key | value |
 * |---|---|
 * | `pool/POOL` | `Pool` |
 * | `given/POOL/NUMBER` | what the address is for; NUMBER is its place in the pool, with leading zeros |
 */

import { part } from 'pontoon-sdk';

import * as addresses from './addresses.js';
import * as pools from './pools.js';

export const ipam = part<typeof import('pontoon:driver/ipam@0.1.1')>({
  // A reservation can't be found without the MAC.
  registerIpam: () => ({ localAddressSpace: 'RangesLocal', globalAddressSpace: 'RangesGlobal', requiresMacAddress: true }),
  requestPool: (pool, request) => pools.give(pool, request),
  releasePool: (pool) => pools.takeBack(pool),
  requestAddress: (pool, request) => addresses.give(pool, request),
  releaseAddress: (pool, address) => addresses.takeBack(pool, address),
  poolStatus: (pool) => addresses.usage(pool),
});

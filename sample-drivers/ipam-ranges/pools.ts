/** Pools: the one that is asked for, or the next one of a named range (`--ipam-opt range=NAME`). */

import { errors, store, values, type IpNetwork } from 'pontoon-sdk';
import type { AllocatedPool, PoolRequest } from 'pontoon:driver/ipam@0.1.1';

import { addressOf, numberOf, size } from './numbers.js';
import { prefixLength, range } from './plan.js';

/** What is remembered of a pool. */
export interface Pool {
  subnet: IpNetwork;
  /** Endpoints get addresses of this part. */
  part: IpNetwork;
}

const VERSION = 1;

/** Of a range with many small pools no more are looked at. */
const CANDIDATES = 65_536n;

function key(pool: string): store.Key<Pool> {
  return new store.Key<Pool>(`pool/${pool}`, VERSION);
}

/** A pool that may be given. */
export function look(pool: string): Pool | undefined {
  return key(pool).get();
}

/** A pool that is given. */
export function find(pool: string): Pool {
  const found = look(pool);
  if (found === undefined) throw errors.notFound(`there is no pool ${pool}`);
  return found;
}

export function give(pool: string, request: PoolRequest): AllocatedPool {
  const subnet = request.pool === undefined ? next(request) : asked(request.pool);
  key(pool).set({ subnet, part: request.subPool === undefined ? subnet : values.masked(request.subPool) });
  return { pool: subnet, reserved: [] };
}

/** What else the store has of it goes with the pool. */
export function takeBack(pool: string): void {
  key(pool).remove();
}

function asked(pool: IpNetwork): IpNetwork {
  if (given().some((other) => values.overlaps(other, pool))) {
    throw errors.alreadyExists(`${values.networkText(pool)} overlaps with a pool that is given`);
  }
  return pool;
}

function next(request: PoolRequest): IpNetwork {
  const from = range(new Map(request.options).get('range'), request.ipv6);
  const taken = [...given(), ...request.exclude];
  const length = prefixLength(from);
  const step = size({ ...from, prefixLength: length });
  const end = numberOf(from.address) + size(from);
  let [number, looked] = [numberOf(from.address), 0n];
  while (number < end && looked < CANDIDATES) {
    const candidate = { address: addressOf(number, from.address), prefixLength: length };
    const other = taken.find((net) => values.overlaps(net, candidate));
    if (other === undefined) return candidate;
    // Past all of a larger one at once.
    const past = numberOf(values.masked(other).address) + size(other);
    number = past > number ? numberOf(from.address) + ((past - numberOf(from.address) + step - 1n) / step) * step : number + step;
    looked += 1n;
  }
  throw errors.unavailable(`no pool is left in ${values.networkText(from)}`);
}

function given(): IpNetwork[] {
  return new store.Key<Pool>('pool/', VERSION).list().map(([, pool]) => pool.subnet);
}

/** Addresses: the one that is asked for, the one that is the MAC's, or the first that nobody has. */

import { errors, store, values, type IpAddress } from 'pontoon-sdk';
import type { AddressRequest, PoolUsage, Purpose } from 'pontoon:driver/ipam@0.1.1';

import { at, hosts, place, size } from './numbers.js';
import { ofMac, ofMacs } from './plan.js';
import { find, look, type Pool } from './pools.js';

/** As many digits as 2 to the 128th has, so that the store's order is the addresses'. */
const DIGITS = 39;

/** The largest u64. */
const MOST = 2n ** 64n - 1n;

const VERSION = 1;

function key(pool: string, number: bigint | ''): store.Key<Purpose> {
  const text = number === '' ? '' : number.toString().padStart(DIGITS, '0');
  return new store.Key<Purpose>(`given/${pool}/${text}`, VERSION);
}

export function give(pool: string, request: AddressRequest): IpAddress {
  const known = find(pool);
  const number = chosen(pool, known, request);
  key(pool, number).set(request.purpose);
  return at(number, known.subnet);
}

export function takeBack(pool: string, address: IpAddress): void {
  const known = look(pool);
  const number = known && place(address, known.subnet);
  if (number !== undefined) key(pool, number).remove();
}

export function usage(pool: string): PoolUsage {
  const known = find(pool);
  const [first, last] = bounds(known);
  const all = [...taken(pool)];
  const inPart = all.filter((number) => number >= first && number <= last);
  const available = last - first + 1n - BigInt(inPart.length);
  return { inUse: BigInt(all.length), available: available > MOST ? MOST : available };
}

function chosen(pool: string, known: Pool, request: AddressRequest): bigint {
  const reserved = request.macAddress === undefined ? [] : ofMac(request.macAddress);
  const wanted = request.address ?? reserved.find((address) => place(address, known.subnet) !== undefined);
  if (wanted === undefined) return next(pool, known);
  const number = place(wanted, known.subnet);
  const text = values.text(wanted);
  if (number === undefined) throw errors.invalidArgument(`${text} is not in ${values.networkText(known.subnet)}`);
  const isAnothers = ofMacs().some((address) => values.text(address) === text)
    && !reserved.some((address) => values.text(address) === text);
  if (isAnothers) throw errors.forbidden(`${text} is reserved for another MAC`);
  if (key(pool, number).get() !== undefined) throw errors.alreadyExists(`${text} is given`);
  return number;
}

/** The first one in order that is neither given nor some MAC's. */
function next(pool: string, known: Pool): bigint {
  const [first, last] = bounds(known);
  const others = taken(pool);
  for (const address of ofMacs()) {
    const number = place(address, known.subnet);
    if (number !== undefined) others.add(number);
  }
  for (let number = first; number <= last; number++) {
    if (!others.has(number)) return number;
  }
  throw errors.unavailable(`no address is left in ${values.networkText(known.part)}`);
}

/** The places of a pool's hosts that lie in the part of it that endpoints get. */
function bounds({ subnet, part }: Pool): [bigint, bigint] {
  const [first, last] = hosts(subnet);
  const begin = place(part.address, subnet) ?? first;
  const end = begin + size(part) - 1n;
  return [begin > first ? begin : first, end < last ? end : last];
}

function taken(pool: string): Set<bigint> {
  return new Set(key(pool, '').list().map(([number]) => BigInt(number)));
}

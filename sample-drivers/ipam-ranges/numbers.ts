/** Addresses as numbers, which are counted. */

import { values, type IpAddress, type IpNetwork } from 'pontoon-sdk';

/** An address's number, the most significant byte first. */
export function numberOf(address: IpAddress): bigint {
  const [groups, bits] = address.tag === 'ipv4' ? [address.val, 8n] : [address.val, 16n];
  return [...groups].reduce((number, group) => (number << bits) | BigInt(group), 0n);
}

/** The address of a number, of the family of another address. */
export function addressOf(number: bigint, like: IpAddress): IpAddress {
  const [count, bits] = like.tag === 'ipv4' ? [4, 8n] : [8, 16n];
  const groups = Array.from({ length: count }, (_, i) => Number((number >> (bits * BigInt(count - 1 - i))) & ((1n << bits) - 1n)));
  return { tag: like.tag, val: groups } as unknown as IpAddress;
}

/** How many addresses a network has. */
export function size(network: IpNetwork): bigint {
  return 1n << BigInt((network.address.tag === 'ipv4' ? 32 : 128) - network.prefixLength);
}

/** The places in a network, from its first address on, that hosts can have: not its own, and not IPv4's broadcast. */
export function hosts(network: IpNetwork): [bigint, bigint] {
  const all = size(network);
  if (all <= 2n) return [0n, all - 1n];
  return [1n, network.address.tag === 'ipv4' ? all - 2n : all - 1n];
}

/** The place of an address in a network; undefined: it is not in it. */
export function place(address: IpAddress, network: IpNetwork): bigint | undefined {
  if (!values.overlaps(values.host(address), network)) return undefined;
  return numberOf(address) - numberOf(network.address);
}

/** The address at a place. */
export function at(place: bigint, network: IpNetwork): IpAddress {
  return addressOf(numberOf(network.address) + place, network.address);
}

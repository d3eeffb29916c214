/** The host's values as `ipaddr.js` has them, and back. */

import ipaddr from 'ipaddr.js';
import { bytes } from 'pontoon:driver/random@0.1.1';
import type { IpAddress, IpNetwork, Ipv4Address, Ipv6Address, MacAddress } from 'pontoon:driver/types@0.1.1';

/** An address of either family, which can be compared and printed. */
export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** ipaddr.js's form of an address. */
export function address(value: IpAddress): Address {
  return value.tag === 'ipv4' ? new ipaddr.IPv4([...value.val]) : new ipaddr.IPv6([...value.val]);
}

/** The host's form of an address. */
export function witAddress(value: Address): IpAddress {
  return value.kind() === 'ipv4'
    ? { tag: 'ipv4', val: (value as ipaddr.IPv4).octets as Ipv4Address }
    : { tag: 'ipv6', val: (value as ipaddr.IPv6).parts as Ipv6Address };
}

/** The address that a text says, or undefined. */
export function parse(text: string): IpAddress | undefined {
  const known = ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text);
  return known ? witAddress(ipaddr.parse(text)) : undefined;
}

/** An address as people write it. */
export function text(value: IpAddress): string {
  return value.tag === 'ipv4' ? address(value).toString() : (address(value) as ipaddr.IPv6).toRFC5952String();
}

/** An address with its network, as people write it. */
export function networkText(value: IpNetwork): string {
  return `${text(value.address)}/${value.prefixLength}`;
}

/** Whether it is the address that stands for all addresses of its family. */
export function isUnspecified(value: IpAddress): boolean {
  return address(value).range() === 'unspecified';
}

/** The network without the host's bits. */
export function masked(value: IpNetwork): IpNetwork {
  const family = value.address.tag === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  return { ...value, address: witAddress(family.networkAddressFromCIDR(networkText(value))) };
}

/** Whether two networks have addresses in common. */
export function overlaps(one: IpNetwork, other: IpNetwork): boolean {
  if (one.address.tag !== other.address.tag) return false;
  const length = Math.min(one.prefixLength, other.prefixLength);
  return address(one.address).match(address(other.address) as never, length);
}

/** The network of one address. */
export function host(value: IpAddress): IpNetwork {
  return { address: value, prefixLength: value.tag === 'ipv4' ? 32 : 128 };
}

/** A MAC as people write it. */
export function macText(value: MacAddress): string {
  return value.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** A MAC that nobody else has: random, of one station, locally administered. */
export function randomMacAddress(): MacAddress {
  const [first, ...rest] = bytes(6);
  return [(first! & ~1) | 2, ...rest] as MacAddress;
}

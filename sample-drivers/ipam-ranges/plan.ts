/** What the operator configured: named ranges (`range.NAME=10.90.0.0/16`), the length of pools in them, and reservations by MAC. */

import { configuration, errors, values, type IpAddress, type IpNetwork, type MacAddress } from 'pontoon-sdk';

/** The range of a name, for a family. Without a name it is `default`, or for IPv6 `default-ipv6`. */
export function range(name: string | undefined, ipv6: boolean): IpNetwork {
  const key = `range.${name ?? (ipv6 ? 'default-ipv6' : 'default')}`;
  const text = configuration.get(key);
  if (text === undefined) throw errors.notFound(`there is no range ${key.slice(6)}: load the driver with --set ${key}=CIDR`);
  const found = network(key, text);
  if ((found.address.tag === 'ipv6') !== ipv6) throw errors.invalidArgument(`${key}="${text}" is of the other family`);
  return found;
}

/** How long the prefix of a pool is that is cut from a range (`pool.prefix`, `pool.prefix-ipv6`). */
export function prefixLength(from: IpNetwork): number {
  const [key, length, most] = from.address.tag === 'ipv4' ? ['pool.prefix', '24', 30] : ['pool.prefix-ipv6', '64', 126];
  const text = configuration.get(key as string) ?? (length as string);
  const number = Number(text);
  if (!Number.isInteger(number) || number < from.prefixLength || number > (most as number)) {
    throw errors.invalidArgument(`${key}="${text}": no prefix length from ${from.prefixLength} to ${most}`);
  }
  return number;
}

/** The addresses that are a MAC's (`mac.02:42:…=10.90.0.50,fd00::50`). */
export function ofMac(mac: MacAddress): IpAddress[] {
  return list(`mac.${values.macText(mac)}`, configuration.get(`mac.${values.macText(mac)}`));
}

/** All addresses that are some MAC's. */
export function ofMacs(): IpAddress[] {
  return configuration.all().flatMap(([key, text]) => (key.startsWith('mac.') ? list(key, text) : []));
}

function list(key: string, text: string | undefined): IpAddress[] {
  return (text ?? '').split(',').filter((part) => part !== '').map((part) => {
    const address = values.parse(part.trim());
    if (address === undefined) throw errors.invalidArgument(`${key}="${text}": "${part}" is no address`);
    return address;
  });
}

function network(key: string, text: string): IpNetwork {
  const [address, length] = [values.parse(text.split('/')[0]!), Number(text.split('/')[1])];
  const most = address?.tag === 'ipv4' ? 32 : 128;
  if (address === undefined || !Number.isInteger(length) || length < 1 || length > most) {
    throw errors.invalidArgument(`${key}="${text}" is no range such as 10.90.0.0/16`);
  }
  return values.masked({ address, prefixLength: length });
}

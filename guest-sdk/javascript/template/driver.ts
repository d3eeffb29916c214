/** A bridge for every network and a pair of links for every container. */

import { driverPart, errors, links, registration, values, type NetworkOptions } from 'pontoon-sdk';

/** Docker's name for a network's MTU. */
const MTU = 'com.docker.network.driver.mtu';

export const driver = driverPart({
  register: () => registration('@NAME@'),

  createNetwork(network, options, _info, ipv4, _ipv6) {
    const addresses = ipv4.flatMap((data) => data.gateway ?? []);
    links.addBridge({ name: name('simple', network), mtu: mtu(options), addresses, up: true });
  },

  deleteNetwork(_network) {
    // What a network still owns goes with it.
  },

  createEndpoint(network, endpoint, info, _options) {
    let macAddress = info.macAddress();
    if (!macAddress) {
      macAddress = values.randomMacAddress();
      info.setMacAddress(macAddress);
    }
    const bridge = links.get(name('simple', network));
    const { mtu } = bridge.info();
    const host = { name: name('host', endpoint), mtu, master: bridge, up: true };
    links.addVeth(host, { name: name('cont', endpoint), mtu, macAddress });
  },

  join(_network, endpoint, _sandbox, info, _options) {
    info.interfaceName().setNames(links.get(name('cont', endpoint)), 'eth', undefined);
  },
});

function mtu(options: NetworkOptions): number | undefined {
  const text = new Map(options.generic).get(MTU) ?? '0';
  const mtu = Number(text);
  if (!/^\d+$/.test(text) || mtu > 65_535) throw errors.invalidArgument(`${MTU}="${text}": no MTU`);
  return mtu || undefined;
}

/** A name of the kernel's has at most 15 bytes. It has a hash (FNV-1a) of the id, because ids may begin alike. */
function name(prefix: string, id: string): string {
  const mix = (hash: number, byte: number) => Math.imul(hash ^ byte, 0x01000193);
  const hash = new TextEncoder().encode(id).reduce(mix, 0x811c9dc5) >>> 0;
  return `${prefix}-${hash.toString(16).padStart(8, '0')}`;
}

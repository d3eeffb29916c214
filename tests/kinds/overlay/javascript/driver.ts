/**
 * A network over several hosts: a bridge and a vxlan link on each, and a table that says where every container is.
 *
 * `--set address=ADDRESS` is the address by which the other hosts reach this one.
 */

import { beforeAndAfter, configuration, driverPart, errors, links, log, neighbours, part, registration, store, values } from 'pontoon-sdk';
import type { IpAddress, MacAddress, NetworkOptions } from 'pontoon-sdk';

const MTU = 'com.docker.network.driver.mtu';
/** An entry for each endpoint: its key is the endpoint's id, its value a `Peer`. */
const TABLE = 'peers';

/** Where a container is. */
interface Peer {
  macAddress: MacAddress;
  host: IpAddress;
  addresses: IpAddress[];
}

export const driver = driverPart({
  register: () => registration('mesh'),

  createNetwork(network, options, info, _ipv4, _ipv6) {
    const [size, local] = [mtu(options), host()];
    const master = links.addBridge({ name: name('mb', network), mtu: size, up: true });
    const end = { name: name('mx', network), mtu: size, master, up: true };
    links.addVxlan(end, { vni: 1 + (hash(network) % 0xffffff), local, proxy: true });
    info.tableEventRegister(TABLE, 'endpoint');
  },

  createEndpoint(network, endpoint, info, _options) {
    const master = links.get(name('mb', network));
    const size = master.info().mtu;
    let macAddress = info.macAddress();
    if (!macAddress) {
      macAddress = values.randomMacAddress();
      info.setMacAddress(macAddress);
    }
    const end = { name: name('mh', endpoint), mtu: size, master, up: true };
    links.addVeth(end, { name: name('mc', endpoint), mtu: size, macAddress });
    const addresses = [info.address(), info.addressIpv6()].flatMap((network) => network?.address ?? []);
    key(network, endpoint).set(written({ macAddress, host: host(), addresses }));
  },

  // Its links go with it.
  deleteEndpoint: (network, endpoint) => key(network, endpoint).remove(),

  join(network, endpoint, _sandbox, info, _options) {
    const value = key(network, endpoint).get();
    if (value === undefined) throw errors.notFound(`no endpoint ${endpoint}`);
    info.interfaceName().setNames(links.get(name('mc', endpoint)), 'eth', undefined);
    info.addTableEntry(TABLE, endpoint, new TextEncoder().encode(value));
  },
});

export const tableWatcher = part<typeof import('pontoon:driver/table-watcher@0.1.1')>({
  eventNotify(network, _table, key, event) {
    const [gone, came] = beforeAndAfter(event);
    const link = links.get(name('mx', network));
    const before = gone && read(gone);
    if (before) {
      neighbours.remove(before.addresses.map((address) => ({ link, address, macAddress: before.macAddress })));
      neighbours.removeForwarding([{ link, macAddress: before.macAddress, remote: before.host }]);
    }
    const peer = came && read(came);
    if (peer) {
      neighbours.add(peer.addresses.map((address) => ({ link, address, macAddress: peer.macAddress })));
      neighbours.addForwarding([{ link, macAddress: peer.macAddress, remote: peer.host }]);
    } else if (came) {
      // An error would bring the same entry again.
      log('warn', `${TABLE}: ${key} is no entry of this driver's`);
    }
  },

  decodeTableEntry(_table, _key, value) {
    const peer = read(value);
    if (!peer) throw errors.invalidArgument('no MAC, host and addresses');
    const addresses = peer.addresses.map(values.text).join(' ');
    return [`a container on ${values.text(peer.host)}`, [['mac', values.macText(peer.macAddress)], ['addresses', addresses]]];
  },
});

/** The address by which the other hosts reach this one. */
function host(): IpAddress {
  const value = configuration.get('address') ?? '';
  const say = 'load the driver with --set address=ADDRESS, this host\'s own';
  const address = values.parse(value);
  if (!address) throw errors.invalidArgument(`address="${value}" is none: ${say}`);
  return address;
}

const key = (network: string, endpoint: string) => new store.Key<string>(`endpoint/${network}/${endpoint}`, 1);

const written = (peer: Peer): string =>
  [values.macText(peer.macAddress), values.text(peer.host), ...peer.addresses.map(values.text)].join(' ');

function read(value: Uint8Array): Peer | undefined {
  const [mac, host, ...rest] = new TextDecoder().decode(value).split(' ');
  const macAddress = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac!) && mac!.split(':').map((byte) => parseInt(byte, 16));
  const itsHost = values.parse(host ?? '');
  const addresses = rest.flatMap((address) => values.parse(address) ?? []);
  if (!macAddress || !itsHost || addresses.length < rest.length) return undefined;
  return { macAddress: macAddress as MacAddress, host: itsHost, addresses };
}

/** What the kernel leaves of 1500 bytes, if nothing else is said. */
function mtu(options: NetworkOptions): number {
  const text = new Map(options.generic).get(MTU) ?? '1450';
  const mtu = Number(text);
  if (!/^\d+$/.test(text) || mtu > 65_535) throw errors.invalidArgument(`${MTU}="${text}": no MTU`);
  return mtu;
}

/** FNV-1a. */
function hash(id: string): number {
  const mix = (hash: number, byte: number) => Math.imul(hash ^ byte, 0x01000193);
  return new TextEncoder().encode(id).reduce(mix, 0x811c9dc5) >>> 0;
}

/** A name of the kernel's has at most 15 bytes. It has a hash of the id, because ids may begin alike. */
function name(prefix: string, id: string): string {
  return `${prefix}-${hash(id).toString(16).padStart(8, '0')}`;
}

/**
 * A network over several hosts: a bridge and a vxlan link on each, and a table that says where every container is.
 *
 * `--set address=ADDRESS` is the address by which the other hosts reach this one.
 */

import * as configuration from 'pontoon:driver/configuration@0.1.1';
import * as links from 'pontoon:driver/links@0.1.1';
import { log } from 'pontoon:driver/log@0.1.1';
import * as neighbours from 'pontoon:driver/neighbours@0.1.1';
import type { IpAddress, MacAddress, NetworkOptions } from 'pontoon:driver/types@0.1.1';
import { driverPart, errors, part, registration, store, values } from 'pontoon-sdk';

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
    const bridge: links.LinkEnd = { name: name('mb', network), mtu: size, addresses: [], up: true };
    const master = links.add([{ end: bridge, kind: { tag: 'bridge' } }])[0]!.link;
    const end: links.LinkEnd = { name: name('mx', network), mtu: size, master, addresses: [], up: true };
    const vni = 1 + (hash(network) % 0xffffff);
    links.add([{ end, kind: { tag: 'vxlan', val: { vni, port: 4789, local, learning: false, proxy: true } } }]);
    info.tableEventRegister(TABLE, 'endpoint');
  },

  createEndpoint(network, endpoint, info, _options) {
    const master = links.get(undefined, name('mb', network).val);
    const size = master.info().mtu;
    let macAddress = info.macAddress();
    if (!macAddress) {
      macAddress = values.randomMacAddress();
      info.setMacAddress(macAddress);
    }
    const end: links.LinkEnd = { name: name('mh', endpoint), mtu: size, master, addresses: [], up: true };
    const container: links.LinkEnd = { name: name('mc', endpoint), mtu: size, macAddress, addresses: [], up: false };
    links.add([{ end, kind: { tag: 'veth', val: container } }]);
    const addresses = [info.address(), info.addressIpv6()].flatMap((network) => network?.address ?? []);
    store.set(key(network, endpoint), written({ macAddress, host: host(), addresses }));
  },

  // Its links go with it.
  deleteEndpoint: (network, endpoint) => store.remove(key(network, endpoint)),

  join(network, endpoint, _sandbox, info, _options) {
    const value = store.get<string>(key(network, endpoint));
    if (value === undefined) throw errors.notFound(`no endpoint ${endpoint}`);
    info.interfaceName().setNames(links.get(undefined, name('mc', endpoint).val), 'eth', undefined);
    info.addTableEntry(TABLE, endpoint, new TextEncoder().encode(value));
  },
});

export const tableWatcher = part<typeof import('pontoon:driver/table-watcher@0.1.1')>({
  eventNotify(network, _table, key, event) {
    const gone = event.tag === 'updated' ? event.val.previous : event.tag === 'deleted' ? event.val : undefined;
    const came = event.tag === 'updated' ? event.val.value : event.tag === 'created' ? event.val : undefined;
    const link = links.get(undefined, name('mx', network).val);
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

const key = (network: string, endpoint: string): string => `endpoint/${network}/${endpoint}`;

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
function name(prefix: string, id: string): { tag: 'exact'; val: string } {
  return { tag: 'exact', val: `${prefix}-${hash(id).toString(16).padStart(8, '0')}` };
}

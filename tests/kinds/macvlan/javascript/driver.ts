/** A macvlan link for every container, on a link of the host's: `-o parent=LINK`, and `-o mode=bridge`, `private` or `vepa`. */

import { driverPart, errors, links, registration, store, values, type IpAddress, type JoinInfo } from 'pontoon-sdk';

const MTU = 'com.docker.network.driver.mtu';
const MODES: readonly links.MacvlanMode[] = ['bridge', 'private', 'vepa'];

/** What is remembered of a network. */
interface Network {
  parent: string;
  mode: links.MacvlanMode;
  mtu?: number;
  /** None on an internal network. */
  gateways: IpAddress[];
}

export const driver = driverPart({
  register: () => registration('lan'),

  createNetwork(network, options, _info, ipv4, ipv6) {
    if (key(network).get()) throw errors.alreadyExists(`network ${network} is there already`);
    const labels = new Map(options.generic);
    const parent = labels.get('parent');
    if (parent === undefined) throw errors.invalidArgument('no parent: say which link of the host\'s with -o parent=LINK');
    const text = labels.get('mode') ?? 'bridge';
    const mode = MODES.find((one) => one === text);
    if (!mode) throw errors.invalidArgument(`mode="${text}": it is bridge, private or vepa`);
    errors.context(`parent="${parent}"`, () => links.get(parent));
    const pools = options.internal ? [] : [...ipv4, ...ipv6];
    const gateways = pools.flatMap((data) => data.gateway?.address ?? []);
    key(network).set({ parent, mode, mtu: mtu(labels), gateways });
  },

  deleteNetwork: (network) => key(network).remove(),

  createEndpoint(network, endpoint, info, _options) {
    const record = find(network);
    let macAddress = info.macAddress();
    if (!macAddress) {
      macAddress = values.randomMacAddress();
      info.setMacAddress(macAddress);
    }
    // In the container's own namespace, if it is known: a link that is made there need not be moved.
    const end = { namespace: info.sandbox(), name: name('lan', endpoint), macAddress, mtu: record.mtu };
    links.addMacvlan(end, links.get(record.parent), record.mode);
  },

  join(network, endpoint, _sandbox, info, _options) {
    const record = find(network);
    info.interfaceName().setNames(link(endpoint, info), 'eth', undefined);
    info.disableGatewayService();
    for (const gateway of record.gateways) info.setGateway(gateway);
  },
});

const key = (network: string) => new store.Key<Network>(`network/${network}`, 1);

function find(network: string): Network {
  const record = key(network).get();
  if (!record) throw errors.notFound(`no network ${network}`);
  return record;
}

/** An endpoint's link, on the host or in the container. */
function link(endpoint: string, info: JoinInfo): links.Link {
  try {
    return links.get(name('lan', endpoint));
  } catch (error) {
    const sandbox = info.sandbox();
    if (!sandbox || !errors.isKind(error, 'not-found')) throw error;
    return links.get(name('lan', endpoint), sandbox);
  }
}

function mtu(labels: Map<string, string>): number | undefined {
  const text = labels.get(MTU) ?? '0';
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

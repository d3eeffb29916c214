/** What the user's labels say: Docker's names, Docker's defaults. Unknown ones are left alone. */

import { errors, values, type IpAddress, type TextMap } from 'pontoon-sdk';

const NAME = 'com.docker.network.bridge.name';
const ICC = 'com.docker.network.bridge.enable_icc';
const MASQUERADE = 'com.docker.network.bridge.enable_ip_masquerade';
const HOST_BINDING = 'com.docker.network.bridge.host_binding_ipv4';
const INHIBIT_IPV4 = 'com.docker.network.bridge.inhibit_ipv4';
const MTU = 'com.docker.network.driver.mtu';
const INTERFACE_PREFIX = 'com.docker.network.container_iface_prefix';
const GATEWAY_MODES = ['com.docker.network.bridge.gateway_mode_ipv4', 'com.docker.network.bridge.gateway_mode_ipv6'];
const SOURCES = ['com.docker.network.host_ipv4', 'com.docker.network.host_ipv6'];

/** The options of a network. */
export interface Options {
  /** The bridge's name, if the user chose one. */
  name?: string;
  /** Containers may talk to each other. */
  icc: boolean;
  /** What leaves for the outside gets the host's address. */
  masquerade: boolean;
  /** Where ports are published that name no host address; undefined: on all addresses of both families. */
  hostBinding?: IpAddress;
  /** The bridge gets no IPv4 address. */
  inhibitIpv4: boolean;
  /** Of the bridge and of every container's link, in bytes. */
  mtu?: number;
  /** The containers' links are named this and a number. */
  interfacePrefix: string;
}

/** Reads the labels. Docker takes an empty one for none. */
export function readOptions(generic: TextMap): Options {
  const labels = new Map(generic);
  for (const key of GATEWAY_MODES) {
    const mode = labels.get(key) || 'nat';
    if (mode !== 'nat') throw errors.notImplemented(`${key}="${mode}": only "nat" is implemented`);
  }
  for (const key of SOURCES) {
    const address = labels.get(key);
    if (address) throw errors.notImplemented(`${key}="${address}": only the bridge in Rust implements it`);
  }
  return {
    name: labels.get(NAME) || undefined,
    icc: flag(labels, ICC, true),
    masquerade: flag(labels, MASQUERADE, true),
    hostBinding: hostBinding(labels),
    inhibitIpv4: flag(labels, INHIBIT_IPV4, false),
    mtu: mtu(labels),
    interfacePrefix: labels.get(INTERFACE_PREFIX) || 'eth',
  };
}

/** The words that Go's strconv.ParseBool knows, and so Docker's users. */
function flag(labels: Map<string, string>, key: string, fallback: boolean): boolean {
  const value = labels.get(key);
  if (value === undefined) return fallback;
  if (['1', 't', 'T', 'true', 'True', 'TRUE'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'False', 'FALSE'].includes(value)) return false;
  throw errors.invalidArgument(`${key}="${value}": neither true nor false`);
}

/** 0 is Docker's word for the kernel's default. */
function mtu(labels: Map<string, string>): number | undefined {
  const text = labels.get(MTU) ?? '0';
  const mtu = Number(text);
  if (!/^\d+$/.test(text)) throw errors.invalidArgument(`${MTU}="${text}": not a number`);
  if (mtu !== 0 && (mtu < 68 || mtu > 65_535)) {
    throw errors.invalidArgument(`${MTU}="${text}": an MTU is 68 to 65535 bytes`);
  }
  return mtu || undefined;
}

function hostBinding(labels: Map<string, string>): IpAddress | undefined {
  const text = labels.get(HOST_BINDING);
  if (text === undefined) return undefined;
  const address = values.parse(text);
  if (address?.tag !== 'ipv4') throw errors.invalidArgument(`${HOST_BINDING}="${text}": no IPv4 address`);
  return values.isUnspecified(address) ? undefined : address;
}

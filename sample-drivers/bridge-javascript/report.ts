/** What there is to tell of an endpoint, in the words of libnetwork's bridge driver. */

import { values, type TextMap } from 'pontoon-sdk';

import { find } from './endpoint.js';
import type { Published } from './ports.js';

/** MAC address, exposed and published ports of an endpoint. */
export function report(network: string, endpoint: string): TextMap {
  const { macAddress, exposedPorts, published } = find(network, endpoint);
  const exposed = exposedPorts.map(({ protocol, port }) => ({ Proto: protocol, Port: port }));
  return [
    ['com.docker.network.endpoint.macaddress', JSON.stringify(values.macText(macAddress))],
    ['com.docker.network.endpoint.exposedports', JSON.stringify(exposed)],
    ['com.docker.network.portmap', JSON.stringify(published.map(portBinding))],
  ];
}

/** libnetwork's types.PortBinding. */
function portBinding([protocol, host, hostPort, container, containerPort]: Published): Record<string, number | string> {
  return {
    Proto: protocol,
    IP: container,
    Port: containerPort,
    HostIP: host,
    HostPort: hostPort,
    HostPortEnd: hostPort,
  };
}

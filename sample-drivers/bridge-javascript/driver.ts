/**
 * Docker's bridge driver in TypeScript: the same as `sample-drivers/bridge`, which says what it does and why.
 *
 * In the order in which a network comes to life: `options`, `network`, `rules`, `endpoint`, `ports`, `report`. What is remembered lies in the store:
 *
 * | key | value |
 * |---|---|
 * | `network/NETWORK` | `Network` |
 * | `bridge/NAME` | the network that the bridge belongs to |
 * | `endpoint/NETWORK/ENDPOINT` | `Endpoint` |
 */

import { driverPart, part, registration } from 'pontoon-sdk';

import * as endpoints from './endpoint.js';
import * as networks from './network.js';
import { readOptions } from './options.js';
import * as ports from './ports.js';
import { report } from './report.js';

export const driver = driverPart({
  register: () => registration('bridge'),
  createNetwork: (network, options, _info, ipv4, ipv6) => networks.create(network, options, ipv4, ipv6),
  deleteNetwork: (network) => networks.remove(network),
  createEndpoint: (network, endpoint, info, options) => endpoints.create(network, endpoint, info, options),
  deleteEndpoint: (network, endpoint) => endpoints.remove(network, endpoint),
  endpointOperInfo: (network, endpoint) => report(network, endpoint),
  join: (network, endpoint, _sandbox, info, _options) => endpoints.join(network, endpoint, info),
  leave: (network, endpoint) => void ports.revoke(network, endpoint),
});

export const externalConnectivity = part<typeof import('pontoon:driver/external-connectivity@0.1.1')>({
  programExternalConnectivity(network, endpoint, gatewayIpv4, gatewayIpv6, options) {
    ports.publish(network, endpoint, { ipv4: gatewayIpv4, ipv6: gatewayIpv6 }, options.portBindings);
  },
  revokeExternalConnectivity: (network, endpoint) => void ports.revoke(network, endpoint),
});

export const ipv6Releaser = part<typeof import('pontoon:driver/ipv6-releaser@0.1.1')>({
  releaseIpv6: (network, endpoint) => endpoints.releaseIpv6(network, endpoint),
});

export const gatewayAllocationChecker = part<typeof import('pontoon:driver/gateway-allocation-checker@0.1.1')>({
  skipGatewayAllocation: (options) => ({ ipv4: readOptions(options.generic).inhibitIpv4, ipv6: false }),
});

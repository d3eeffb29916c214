/**
 * What generated bindings leave to the author of a driver.
 *
 * A driver is a module that exports an object for each part of its world, named as the part is: `export const driver = driverPart({ … })`. Every
 * call runs in a fresh instance: globals are as they were when the component was built, and what is to be remembered goes into the `store`.
 * Every call is a transaction: what it changed stays if it returns, and is undone if it throws.
 *
 * The host's functions are here, too: `links`, `nftables` and `store` with defaults, the others as wit/deps/pontoon-driver says.
 */

export * as addresses from 'pontoon:driver/addresses@0.1.1';
export type { InterfaceInfo, JoinInfo, NetworkInfo } from 'pontoon:driver/capabilities@0.1.1';
export * as configuration from 'pontoon:driver/configuration@0.1.1';
export * as forwarding from 'pontoon:driver/forwarding@0.1.1';
export { log } from 'pontoon:driver/log@0.1.1';
export * as namespaces from 'pontoon:driver/namespaces@0.1.1';
export * as neighbours from 'pontoon:driver/neighbours@0.1.1';
export * as ports from 'pontoon:driver/ports@0.1.1';
export * as routes from 'pontoon:driver/routes@0.1.1';
export * as rules from 'pontoon:driver/rules@0.1.1';
export * as shaping from 'pontoon:driver/shaping@0.1.1';
export * as sysctls from 'pontoon:driver/sysctls@0.1.1';
export * as tables from 'pontoon:driver/tables@0.1.1';
export type {
  EndpointOptions, IpAddress, IpNetwork, IpamData, MacAddress, NetworkOptions, PortBinding, TableEvent, TextMap, TransportPort,
} from 'pontoon:driver/types@0.1.1';
export * as errors from './errors.js';
export * as links from './links.js';
export * as nftables from './nftables.js';
export { beforeAndAfter, driverPart, part, registration } from './part.js';
export * as store from './store.js';
export * as values from './values.js';

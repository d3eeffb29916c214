/**
 * What generated bindings leave to the author of a driver.
 *
 * A driver is a module that exports an object for each part of its world, named as the part is: `export const driver = driverPart({ … })`. Every
 * call runs in a fresh instance: globals are as they were when the component was built, and what is to be remembered goes into the `store`.
 * Every call is a transaction: what it changed stays if it returns, and is undone if it throws.
 */

export * as errors from './errors.js';
export { driverPart, part, registration } from './part.js';
export * as nftables from './nftables.js';
export * as store from './store.js';
export * as values from './values.js';

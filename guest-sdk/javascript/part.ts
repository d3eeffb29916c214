/** What a driver exports. */

import type { Registration } from 'pontoon:driver/driver@0.1.1';
import type { Scope, TableEvent } from 'pontoon:driver/types@0.1.1';
import { log } from 'pontoon:driver/log@0.1.1';

import { internal, payload } from './errors.js';
import { begin } from './runtime.js';

type Driver = typeof import('pontoon:driver/driver@0.1.1');
type Optional = 'deleteNetwork' | 'deleteEndpoint' | 'endpointOperInfo' | 'leave';

/** The part `driver`, which every driver exports. What has nothing to do may be left out: what is still there goes with its owner. */
export function driverPart(functions: Omit<Driver, Optional> & Partial<Pick<Driver, Optional>>): Driver {
  return part<Driver>({ deleteNetwork() {}, deleteEndpoint() {}, endpointOperInfo: () => [], leave() {}, ...functions });
}

/**
 * A part of the interface. What its functions throw that is no error of the interface is logged with its stack and ends the call as an internal
 * error that names it: all that the generated bindings could do is trap, without a word.
 */
export function part<Part extends object>(functions: Part): Part {
  const answering = Object.entries(functions).map(([name, body]) => [name, (...values: unknown[]) => {
    begin();
    try {
      return body(...values);
    } catch (error) {
      throw payload(error) ? error : explained(error);
    }
  }]);
  return Object.fromEntries(answering);
}

/** What a driver says of itself. */
export function registration(networkType: string, dataScope: Scope = 'local', connectivityScope: Scope = 'local'): Registration {
  return { networkType, isBuiltIn: false, capability: { dataScope, connectivityScope } };
}

/** An entry's values before and after a change: none before for a new one, none after for one that is gone. */
export function beforeAndAfter(event: TableEvent): [Uint8Array | undefined, Uint8Array | undefined] {
  if (event.tag === 'updated') return [event.val.previous, event.val.value];
  return event.tag === 'created' ? [undefined, event.val] : [event.val, undefined];
}

function explained(error: unknown): Error {
  const stack = error instanceof Error ? (error.stack ?? '').trim().split('\n') : [];
  stack.forEach((line) => log('error', line));
  log('error', String(error));
  return internal(stack[0] ? `${error} (${stack[0]})` : `${error}`);
}

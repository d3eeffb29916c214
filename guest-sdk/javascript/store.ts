/** What a driver remembers between calls: values by key, as JSON. All networks of the driver share one key space. */

import * as store from 'pontoon:driver/store@0.1.1';

/** The value of a key; undefined where there is none. */
export function get<T>(key: string): T | undefined {
  const value = store.get(key);
  return value && parse(value);
}

/** What stands behind a prefix, without it, and the values, in the order of the keys. */
export function entries<T>(prefix: string): [string, T][] {
  return store.list(prefix).map(([key, value]) => [key.slice(prefix.length), parse(value)]);
}

/** Sets a key: at most 64 KiB of JSON. */
export function set(key: string, value: unknown): void {
  store.set(key, new TextEncoder().encode(JSON.stringify(value)));
}

/** Nothing to do where there is no such key. */
export function remove(key: string): void {
  store.remove(key);
}

/** Removes a key and gives back what it had. */
export function take<T>(key: string): T | undefined {
  const value = get<T>(key);
  if (value !== undefined) remove(key);
  return value;
}

function parse<T>(value: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(value));
}

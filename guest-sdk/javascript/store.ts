/** What a driver remembers between calls: values by key, as JSON. All networks of the driver share one key space. */

import * as host from 'pontoon:driver/store@0.1.1';

import { internal } from './errors.js';

/**
 * A key, and the type of its value.
 *
 * The version of that type is kept beside the value. Choose the next number when the type changes: what an earlier build of the driver wrote is an
 * error then, and is not misread.
 */
export class Key<T> {
  constructor(readonly name: string, readonly version?: number) {}

  /** The value; undefined where there is none. */
  get(): T | undefined {
    const value = host.get(this.name);
    return value && this.#read(this.name, value);
  }

  /** Sets the value: at most 64 KiB of JSON. */
  set(value: T): void {
    const written = this.version === undefined ? value : { version: this.version, value };
    host.set(this.name, new TextEncoder().encode(JSON.stringify(written)));
  }

  /** Nothing to do where there is no value. */
  remove(): void {
    host.remove(this.name);
  }

  /** Removes the value and gives it back. */
  take(): T | undefined {
    const value = this.get();
    if (value !== undefined) this.remove();
    return value;
  }

  /** The values whose keys start with this one's name, each with the rest of its key, in the order of the keys. */
  list(): [string, T][] {
    return host.list(this.name).map(([name, value]) => [name.slice(this.name.length), this.#read(name, value)]);
  }

  #read(name: string, bytes: Uint8Array): T {
    const content = JSON.parse(new TextDecoder().decode(bytes));
    const isVersioned = typeof content?.version === 'number' && 'value' in content && Object.keys(content).length === 2;
    const { version, value } = isVersioned ? content : { version: undefined, value: content };
    if (version !== this.version) {
      const wanted = `this build of the driver reads ${text(this.version)}: have it read that, too, or use another key`;
      throw internal(`the store's ${name} has ${text(version)}, and ${wanted}`);
    }
    return value;
  }
}

function text(version: number | undefined): string {
  return version === undefined ? 'no version' : `version ${version}`;
}

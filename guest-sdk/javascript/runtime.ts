/**
 * What JavaScript would ask of the operating system, asked of the host.
 *
 * A driver has no WASI: output would end the call without a word, and `Math.random` and `Date.now` would say in every call what they said when the
 * component was built: the same "random" MAC each time.
 */

import { now } from 'pontoon:driver/clock@0.1.1';
import { log, type Level } from 'pontoon:driver/log@0.1.1';
import { bytes } from 'pontoon:driver/random@0.1.1';

const line = (level: Level) => (...values: unknown[]) => log(level, values.map(text).join(' '));

function text(value: unknown): string {
  return typeof value === 'object' && !(value instanceof Error) ? JSON.stringify(value) : String(value);
}

const host = { debug: line('debug'), log: line('info'), info: line('info'), warn: line('warn'), error: line('error') };

/** Called first thing in every call. Not when the component is built: there is no host then. */
export function begin(): void {
  Object.assign(globalThis, { console: host });
  Date.now = () => Number(now() / 1_000_000n);
  Math.random = () => new DataView(bytes(4).buffer).getUint32(0) / 2 ** 32;
}

/** The errors that a driver and its host tell each other. The host's functions throw an `Error` with a `payload`; so does a driver. */

import type { Error as WitError, ErrorKind } from 'pontoon:driver/types@0.1.1';

/** An error with its kind. */
export class DriverError extends Error {
  /** What the caller is told. */
  readonly payload: WitError;

  constructor(kind: ErrorKind, message: string, kernelErrno?: number) {
    super(message);
    this.name = 'DriverError';
    this.payload = { kind, message, kernelErrno };
  }
}

/** What an error of the host's or of a driver's tells; undefined for any other. */
export function payload(error: unknown): WitError | undefined {
  const told = (error as { payload?: WitError } | undefined)?.payload;
  return typeof told?.kind === 'string' ? told : undefined;
}

/** Whether an error is of this kind. */
export function isKind(error: unknown, kind: ErrorKind): boolean {
  return payload(error)?.kind === kind;
}

/** Does it, and puts a text before the message of the error that it may throw. */
export function context<T>(text: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    const told = payload(error);
    throw told ? new DriverError(told.kind, `${text}: ${told.message}`, told.kernelErrno) : error;
  }
}

/** An argument has a value that can't be used. */
export const invalidArgument = (message: string): DriverError => new DriverError('invalid-argument', message);
/** There is no such network, endpoint, link, key or rule. */
export const notFound = (message: string): DriverError => new DriverError('not-found', message);
/** It is there already. */
export const alreadyExists = (message: string): DriverError => new DriverError('already-exists', message);
/** Not allowed: by ownership, or by the state that something is in. */
export const forbidden = (message: string): DriverError => new DriverError('forbidden', message);
/** This driver can't do it. */
export const notImplemented = (message: string): DriverError => new DriverError('not-implemented', message);
/** It may work later. */
export const unavailable = (message: string): DriverError => new DriverError('unavailable', message);
/** Anything else. */
export const internal = (message: string): DriverError => new DriverError('internal', message);

/** The SDK speaks of the part `driver`, which this component does not export, so that nothing else declares it. */
declare module 'pontoon:driver/driver@0.1.1' {
  type Nothing = (...values: never[]) => unknown;
  export type Registration = object;
  export const deleteNetwork: Nothing, deleteEndpoint: Nothing, endpointOperInfo: Nothing, leave: Nothing;
}

// Builds build/component.wasm: one module of all files, then a component of it, which imports Pontoon's interfaces and nothing else.
import { writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';
import { build } from 'esbuild';

await build({ entryPoints: ['driver.ts'], bundle: true, format: 'esm', target: 'es2022', external: ['pontoon:*'], outfile: 'build/driver.js', logLevel: 'warning' });
const { component } = await componentize({
  sourcePath: 'build/driver.js',
  witPath: 'wit',
  worldName: 'driver',
  // No WASI.
  disableFeatures: ['stdio', 'random', 'clocks', 'http', 'fetch-event'],
});
await writeFile('build/component.wasm', component);

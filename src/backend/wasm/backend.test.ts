import { parity } from '../parity/parity.ts';
import { createWasmBackend } from './create.ts';

for (const [variant, threads] of [
  ['relaxed-revec', 2],
  ['relaxed', 1],
  ['dotadd-revec', 1],
  ['plain', 2],
] as const)
  parity(`wasm ${variant}, ${threads} threads`, () => createWasmBackend({ variant, threads }));

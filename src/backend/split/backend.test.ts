import { parity } from '../parity/parity.ts';
import { createReferenceBackend } from '../reference/reference.ts';
import { createWasmBackend } from '../wasm/backend.ts';
import { SplitBackend } from './backend.ts';
import type { Placement, Side } from './placement.ts';

/** Matrices and layers now on this side, now on that. */
function alternating(): Placement {
  let made = 0;
  return {
    name: 'alternating',
    matrix: () => ([0, 1, 'both'] as const)[made++ % 3]!,
    layer: layer => (layer % 2) as Side,
  };
}

parity('the CPU and the reference, which take turns', async () => {
  return new SplitBackend([await createWasmBackend({ threads: 1 }), createReferenceBackend()], alternating());
});

/** Tables of a routing, read and written while a step runs: which rows an expert has is not known when it is recorded. */
import { tilesOf } from '../../../kernels/activation.ts';
import type { KernelInstance } from '../thread-context.ts';

export const intsAt = (m: KernelInstance, address: number, count: number) =>
  new Int32Array(m.bytes.buffer, address >>> 0, count);
export const floatsAt = (m: KernelInstance, address: number, count: number) =>
  new Float32Array(m.bytes.buffer, address >>> 0, count);

/** The tiles that an expert's slots are cut into. */
export function eachTile(
  m: KernelInstance,
  starts: number,
  expert: number,
  maxTile: number,
  visit: (slot: number, tile: number) => void,
): void {
  let slot = m.words[(starts >>> 2) + expert];
  for (const tile of tilesOf(m.words[(starts >>> 2) + expert + 1] - slot, maxTile)) {
    visit(slot, tile);
    slot += tile;
  }
}

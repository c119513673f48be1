/**
 * Panels: row groups whose weights have been unpacked to bytes, and whose scales to what the sums are multiplied with.
 * A step of many tokens unpacks a few groups at a time into a panel of its thread, which stays in the core's cache, and
 * lets all tiles pass over it: where four products are one instruction, a fifth (Q4_K) to a half (Q6_K) more of them a
 * second than with unpacking in every tile. A tile or two are multiplied without: see `panelRows`.
 */
import { type Func, i32, type Local } from './assembler.ts';
import type { Dot } from './dot.ts';

export const unpackParams = {
  /** Packed weights of the first row group. */
  w: 'i32',
  /** Blocks in a row. */
  blocks: 'i32',
  groups: 'i32',
  /** Where to. */
  panel: 'i32',
} as const;

/**
 * The blocks to unpack, after a word of each of their cache lines has been read: memory is read nearly twice as fast when
 * that is all that is done, and WebAssembly has no prefetch. What was read is stored, or the reads would be left out.
 */
export function unpackBlocks(f: Func<typeof unpackParams>, blockBytes: number): Local<'i32'> {
  const { w, blocks, groups, panel } = f.params;
  const count = f.local('i32', i32.mul(blocks, groups));
  const [at, seen] = [f.local('i32', w), f.local('i32')];
  const end = f.local('i32', i32.add(w, i32.mul(count, i32.const(blockBytes))));
  f.doWhile(
    () => {
      for (let line = 0; line < 8; line++) f.set(seen, i32.or(seen, i32.load(at, 64 * line)));
      f.advance(at, 512);
    },
    () => i32.ltU(i32.add(at, i32.const(448)), end),
  );
  f.store32(panel, seen);
  return count;
}

/** Groups that share every broadcast word of activations: two where a thread's registers hold the sums of both. */
export const panelsAtOnce = (dot: Dot): number => (dot === 'dotadd' ? 2 : 1);

/** Fewer tokens than this do not pay for a panel: unpacking costs as much as multiplying with nine of them. */
export const panelRows = 13;

/**
 * Whether a tile takes a block's weights from the scratch, where they were looked up before: what follows is at 256 bits then.
 * With fewer products that costs more than it gains.
 */
export const unpacksFirst = ({ lookedUp, planes }: Looked, tile: number): boolean =>
  lookedUp && planes.length * tile > 3;

interface Looked {
  readonly lookedUp: boolean;
  readonly planes: readonly unknown[];
}

/** Room for the panel of a thread. */
export const panelRoom = 448 << 10;

/** Bytes of groups that are unpacked at once: they should stay in a core's second-level cache. */
const panelTarget = 128 << 10;

/** Row groups of `groupBytes` unpacked bytes that are worked on at once: an even number where possible; 0: no room for one. */
export function panelGroups(groupBytes: number): number {
  const groups = Math.floor(panelTarget / groupBytes) & ~1;
  return Math.max(groups, Math.min(2, Math.floor(panelRoom / groupBytes)));
}

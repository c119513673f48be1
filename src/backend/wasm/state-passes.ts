/** How tokens pass over matrices that are their heads' states. */
import { tileColumns, tokensAtOnce } from '../../kernels/states.ts';
import type { KernelInstance } from './thread-context.ts';

/** What heads' states there are and who passes over them. */
export interface HeadStates {
  /** Address of the layer's first state in slot 0. */
  readonly states: number;
  readonly slotBytes: number;
  readonly heads: number;
  /** Rows and columns of a state. */
  readonly rows: number;
  readonly columns: number;
  /** What a head's columns are cut into. */
  readonly parts: number;
  /** For each segment its first row, how many it has, and the slots: see StepTables. */
  readonly places: number;
}

/** Some tokens of a segment, and some columns of a head's state. */
export interface Pass {
  readonly head: number;
  /** The first token's row. */
  readonly row: number;
  readonly tokens: number;
  /** The head's state: as it is, and where it is put. */
  readonly from: number;
  readonly to: number;
  readonly firstColumn: number;
  readonly lastColumn: number;
}

/** Works through an item: a part of a head in a segment, `atOnce` tokens after the other. */
export function eachPass(m: KernelInstance, states: HeadStates, item: number, work: (pass: Pass) => void): void {
  const { heads, parts, rows, columns, slotBytes } = states;
  const place = (states.places >>> 2) + 4 * Math.floor(item / parts / heads);
  const [start, count, slot, nextSlot] = [0, 1, 2, 3].map(i => m.words[place + i]!);
  const head = Math.floor(item / parts) % heads;
  const width = Math.ceil(columns / tileColumns / parts) * tileColumns;
  const firstColumn = Math.min(columns, (item % parts) * width);
  const lastColumn = Math.min(columns, firstColumn + width);
  const stateIn = (index: number) => states.states + index * slotBytes + 4 * head * rows * columns;
  const to = stateIn(nextSlot);
  if (slot < 0) m.bytes.fill(0, (to + 4 * rows * firstColumn) >>> 0, (to + 4 * rows * lastColumn) >>> 0);
  let from = slot < 0 ? to : stateIn(slot);
  for (let done = 0; done < count; done += tokensAtOnce) {
    const tokens = Math.min(tokensAtOnce, count - done);
    work({ head, row: start + done, tokens, from, to, firstColumn, lastColumn });
    from = to;
  }
}

/** Visits a pass's tiles: where each is and is put, its first column, and how many it has. */
export function eachTile(
  { from, to, firstColumn, lastColumn }: Pass,
  rows: number,
  visit: (from: number, to: number, column: number, columns: number) => void,
): void {
  for (let column = firstColumn; column < lastColumn; column += tileColumns) {
    const at = 4 * rows * column;
    visit(from + at, to + at, column, Math.min(tileColumns, lastColumn - column));
  }
}

/** What to cut a head's columns into, so that every thread gets some. */
export function partsOf(segments: number, heads: number, columns: number, threads: number): number {
  return Math.min(Math.ceil(columns / tileColumns), Math.ceil((2 * threads) / (segments * heads)));
}

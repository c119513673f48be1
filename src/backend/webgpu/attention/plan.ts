/** What the workgroups of a batch's attention do: tiles of rows, whole or in splits, and what is combined of them. */
import { type BatchLayout, pageTokens, type Segment, splitTokens } from '../../backend.ts';
import type { Geometries, Kind } from './geometry.ts';
import type { Sight } from './sight.ts';

/** In the place of a split: all of them. */
export const wholeTile = 0xffffffff;
/**
 * Words of an item: first row, rows, position of the first, where its pages begin, split or {@link wholeTile}, first slot, the last
 * position of its sequence.
 */
export const itemWords = 7;
/** Words of a row to combine: row, first slot, slots from one split to the next, splits. */
export const combineWords = 4;

/** Dispatches that find their items and rows in `words`, and their partial results in the same slots, one after the other. */
export interface Plan {
  readonly words: Uint32Array;
  readonly pieces: readonly Piece[];
  /** Most slots of a piece; a slot is for a row and a split. */
  readonly slots: number;
}

export interface Piece {
  readonly kind: Kind;
  /** Places in the plan's words. */
  readonly items: number;
  readonly itemCount: number;
  readonly combine: number;
  readonly combineCount: number;
}

export interface PlanOptions {
  readonly sight: Sight;
  readonly kvHeads: number;
  readonly geometries: Geometries;
  /** The heads of a row share a workgroup where there are at least so many for splits. */
  readonly shareFrom: number;
  /** Tiles are cut into splits where there are fewer workgroups than this. */
  readonly splitBelow: number;
  /** Slots of a piece, unless one tile needs more. */
  readonly slots: number;
}

/** A dispatch's most workgroups in a direction. */
const mostItems = 65_535;

interface Tile {
  readonly row: number;
  readonly count: number;
  readonly position: number;
  readonly end: number;
  readonly pages: number;
  readonly firstSplit: number;
  readonly splits: number;
}

export function planOf(batch: BatchLayout, options: PlanOptions): Plan {
  const words: number[] = [];
  const { geometries, sight, kvHeads, shareFrom } = options;
  const short = (segment: Segment) => segment.count <= 2 * geometries.row.rows;
  const tiles: Record<Kind, Tile[]> = { head: [], row: [], tile: [] };
  for (const segment of batch.segments) {
    const kinds: readonly Kind[] = short(segment) ? ['head', 'row'] : ['tile'];
    for (const kind of kinds) tiles[kind].push(...tilesOf(segment, words.length, geometries[kind].rows, sight));
    const used = Math.ceil((segment.position + segment.count) / pageTokens);
    for (let page = 0; page < used; page++) words.push(segment.pages[page]!);
  }
  const splits = tiles.row.reduce((sum, tile) => sum + tile.splits, 0);
  const builder = new PieceBuilder(words, options);
  const single = splits * kvHeads < shareFrom ? 'head' : 'row';
  for (const kind of [single, 'tile'] as const) builder.add(kind, tiles[kind]);
  return { words: Uint32Array.from(words), pieces: builder.pieces, slots: builder.slots };
}

function tilesOf({ start, count, position }: Segment, pages: number, rows: number, sight: Sight): Tile[] {
  const end = position + count - 1;
  return Array.from({ length: Math.ceil(count / rows) }, (_, i) => {
    const from = position + i * rows;
    const here = Math.min(rows, count - i * rows);
    const firstSplit = Math.floor(Math.max(0, from - sight.behind) / splitTokens);
    const splits = Math.floor(Math.min(end, from + here - 1 + sight.ahead) / splitTokens) - firstSplit + 1;
    return { row: start + i * rows, count: here, position: from, end, pages, firstSplit, splits };
  });
}

class PieceBuilder {
  readonly pieces: Piece[] = [];
  slots = 0;
  readonly #words: number[];
  readonly #options: PlanOptions;
  #items: number[] = [];
  #combine: number[] = [];
  #slots = 0;

  constructor(words: number[], options: PlanOptions) {
    this.#words = words;
    this.#options = options;
  }

  add(kind: Kind, tiles: readonly Tile[]): void {
    const { kvHeads, geometries, splitBelow } = this.#options;
    const split = tiles.length * kvHeads * geometries[kind].parts < splitBelow;
    for (const tile of tiles) {
      const items = split ? tile.splits : 1;
      const slots = items > 1 ? items * tile.count : 0;
      const full = this.#slots + slots > this.#options.slots || this.#items.length / itemWords + items > mostItems;
      if (full) this.#finish(kind);
      if (items > 1) this.#addSplits(tile);
      else this.#items.push(tile.row, tile.count, tile.position, tile.pages, wholeTile, 0, tile.end);
    }
    this.#finish(kind);
  }

  #addSplits({ row, count, position, pages, firstSplit, splits, end }: Tile): void {
    for (let i = 0; i < splits; i++)
      this.#items.push(row, count, position, pages, firstSplit + i, this.#slots + i * count, end);
    for (let i = 0; i < count; i++) this.#combine.push(row + i, this.#slots + i, count, splits);
    this.#slots += splits * count;
  }

  #finish(kind: Kind): void {
    if (this.#items.length === 0) return;
    const items = this.#words.length;
    for (const word of this.#items) this.#words.push(word);
    const combine = this.#words.length;
    for (const word of this.#combine) this.#words.push(word);
    const [itemCount, combineCount] = [this.#items.length / itemWords, this.#combine.length / combineWords];
    this.pieces.push({ kind, items, itemCount, combine, combineCount });
    this.slots = Math.max(this.slots, this.#slots);
    [this.#items, this.#combine, this.#slots] = [[], [], 0];
  }
}

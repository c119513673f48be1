/** How large a workgroup's share of attention is: it changes speed, and no bits. */
import { pageTokens } from '../../backend.ts';
import type { PageLayout } from '../page-layout.ts';

export interface Geometry {
  /** Queries (a row's head each) that share a key-value head; a multiple of four, since vectors hold four queries. */
  readonly queries: number;
  /** Positions whose scores lie in workgroup memory at once. */
  readonly positions: 64 | 256;
  readonly lanes: number;
  /** Query heads of a row, of those that share a key-value head; workgroups that it takes for all of them; rows of a tile. */
  readonly together: number;
  readonly parts: number;
  readonly rows: number;
}

/** For single rows: a whole split at once, since few workgroups run. For prompts: many queries, to read keys and values seldom. */
export const kinds = ['row', 'tile'] as const;
export type Kind = (typeof kinds)[number];
export type Geometries = Readonly<Record<Kind, Geometry>>;

/** Workgroup memory that is used at most: more would leave fewer workgroups to a processor. */
const mostBytes = 32 << 10;

/** `group`: query heads of a key-value head. */
export function geometryOf(kind: Kind, layout: PageLayout, group: number, limit: number): Geometry {
  const positions = kind === 'row' ? 256 : 64;
  const wanted = kind === 'row' ? Math.min(16, Math.ceil(group / 4) * 4) : 32;
  let queries = wanted;
  while (queries > 4 && workgroupBytes(layout.headDim, queries, positions) > Math.min(limit, mostBytes)) queries -= 4;
  const words = layout.headDim / layout.inWord;
  const lanes = kind === 'row' && words <= 128 ? 128 : 256;
  const together = Math.min(group, queries);
  const parts = Math.ceil(group / together);
  return { queries, positions, lanes, together, parts, rows: Math.floor(queries / together) };
}

/** Queries, scores, eight sums a page; maxima and factors. */
function workgroupBytes(headDim: number, queries: number, positions: number): number {
  const pages = positions / pageTokens;
  return 4 * queries * (headDim + positions + 8 * pages + 2 * pages + 8);
}

/** A layout and a geometry, and what follows from them. */
export interface Shape extends PageLayout, Geometry {
  /** Vectors of four queries. */
  readonly quads: number;
  /** Pages at once. */
  readonly pages: number;
  /** Words of a position's values; a lane of the output has one of them, and some of the quads. */
  readonly words: number;
  readonly quadsOfLane: number;
}

export function shapeOf(layout: PageLayout, geometry: Geometry): Shape {
  const words = layout.headDim / layout.inWord;
  const quads = geometry.queries / 4;
  const shares = [8, 4, 2, 1].find(each => each * words <= geometry.lanes && quads % each === 0)!;
  return { ...layout, ...geometry, quads, pages: geometry.positions / 32, words, quadsOfLane: quads / shares };
}

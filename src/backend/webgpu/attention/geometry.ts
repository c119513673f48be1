/** How large a workgroup's share of attention is: it changes speed, and no bits. */
import { pageTokens } from '../../backend.ts';
import type { Width } from '../math.ts';
import type { PageLayout } from '../page-layout.ts';

export type InFlight = 4 | 8 | 16 | 32;

export interface Geometry {
  /** Queries (a row's head each) that share a key-value head. */
  readonly queries: number;
  /** Queries of a vector, on which lanes work at once. */
  readonly width: Width;
  /** Positions whose scores lie in workgroup memory at once. */
  readonly positions: 64 | 256;
  readonly lanes: number;
  /** Words of the cache that a lane asks for before it uses the first: memory is far where few workgroups hide that. */
  readonly inFlight: InFlight;
  /** Query heads of a row, of those that share a key-value head; workgroups that it takes for all of them; rows of a tile. */
  readonly together: number;
  readonly parts: number;
  readonly rows: number;
}

/**
 * `head`: a single query and a whole split at once, where few workgroups run. `row`: all heads of a row that share keys and values.
 * `tile`: many rows of a prompt.
 */
export const kinds = ['head', 'row', 'tile'] as const;
export type Kind = (typeof kinds)[number];
export type Geometries = Readonly<Record<Kind, Geometry>>;

/** Workgroup memory that is used at most: more would leave fewer workgroups to a processor. */
const mostBytes = 32 << 10;

/** `group`: query heads of a key-value head; `limit`: a workgroup's bytes; `mostInFlight`: words at once. */
export function geometriesOf(
  layout: PageLayout,
  group: number,
  limit: number,
  mostInFlight: InFlight = 32,
): Geometries {
  const inFlight = (wanted: InFlight) => Math.min(wanted, mostInFlight) as InFlight;
  const width = group > 2 ? 4 : group === 2 ? 2 : 1;
  const most = Math.min(limit, mostBytes);
  return {
    head: geometryOf(layout, group, most, { queries: 1, width: 1, positions: 256, inFlight: inFlight(32) }),
    row: geometryOf(layout, group, most, {
      ...{ queries: Math.min(16, Math.ceil(group / width) * width), width, positions: 256, inFlight: 16 },
    }),
    tile: geometryOf(layout, group, most, { queries: 32, width: 4, positions: 64, inFlight: inFlight(8) }),
  };
}

type Wanted = Pick<Geometry, 'queries' | 'width' | 'positions' | 'inFlight'>;

function geometryOf({ headDim, inWord }: PageLayout, group: number, most: number, wanted: Wanted): Geometry {
  const { width, positions, inFlight } = wanted;
  let { queries } = wanted;
  while (queries > width && workgroupBytes(headDim, queries, positions) > most) queries -= width;
  const lanes = positions === 256 && headDim / inWord <= 128 ? 128 : 256;
  const together = Math.min(group, queries);
  const parts = Math.ceil(group / together);
  return { queries, width, positions, lanes, inFlight, together, parts, rows: Math.floor(queries / together) };
}

/** Queries, scores, eight sums a page; maxima and factors. */
function workgroupBytes(headDim: number, queries: number, positions: number): number {
  const pages = positions / pageTokens;
  return 4 * queries * (headDim + positions + 8 * pages + 3 * pages + 8);
}

/** Whether scores have a soft cap, and heads a score without a value. */
export interface Scores {
  readonly capped: boolean;
  readonly sunk: boolean;
}

/** A layout and a geometry, and what follows from them. */
export interface Shape extends PageLayout, Geometry, Scores {
  readonly vectors: number;
  /** Pages at once. */
  readonly pages: number;
  /** Words of a position's values. */
  readonly words: number;
  /** Of a word's dimensions a lane of the output has all or one, for some of the vectors. */
  readonly dims: number;
  /** Lanes for the dimensions of a vector. */
  readonly lanesOfRow: number;
  readonly vectorsOfLane: number;
}

export function shapeOf(layout: PageLayout, geometry: Geometry, ofScores: Scores): Shape {
  const { headDim, inWord } = layout;
  const { queries, width, lanes, positions } = geometry;
  const vectors = queries / width;
  const dims = positions === 256 && headDim <= lanes ? 1 : inWord;
  const lanesOfRow = headDim / dims;
  const shares = [8, 4, 2, 1].find(each => each * lanesOfRow <= lanes && vectors % each === 0)!;
  const pages = positions / pageTokens;
  return {
    ...layout,
    ...geometry,
    ...ofScores,
    vectors,
    pages,
    words: headDim / inWord,
    dims,
    lanesOfRow,
    vectorsOfLane: vectors / shares,
  };
}

/** WGSL of one query's number in a vector. */
export const componentOf = ({ width }: Geometry, vector: string, k: number): string =>
  width === 1 ? vector : `${vector}[${k}]`;

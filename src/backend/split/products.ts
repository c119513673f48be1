/** Weights on the side that the placement names, and their products. */
import type { MatmulOptions, MatrixSource, Product } from '../backend.ts';
import type { SplitBuffer, SplitMatrix, SplitTokens, Use } from './handles.ts';
import type { Side } from './placement.ts';
import { eachSide, type Sides } from './sides.ts';
import { other } from './stages.ts';

export class Products {
  readonly #sides: Sides;

  constructor(sides: Sides) {
    this.#sides = sides;
  }

  async matrix(source: MatrixSource): Promise<SplitMatrix> {
    const { backends, owner, placement } = this.#sides;
    const { name, type, rows, columns } = source;
    const place = placement.matrix(name);
    const made = async (side: Side) => (place === side || place === 'both' ? backends[side].matrix(source) : undefined);
    return { owner, name, type, rows, columns, on: [await made(0), await made(1)] };
  }

  free(matrix: SplitMatrix): void {
    const { on } = matrix;
    for (const side of eachSide) if (on[side]) this.#sides.backends[side].free(on[side]);
    matrix.owner = undefined;
  }

  /** Where the table is; on the first side if it is on both. */
  embed(out: SplitBuffer, { on }: SplitMatrix, ids: Int32Array): void {
    const side = on[0] ? 0 : 1;
    this.#sides.stages.record(side, [], [[out, ids.length]], to => to.embed(out.on[side], on[side]!, ids));
  }

  /** Where the tokens are, or else the table: they are brought there. */
  embedTokens(out: SplitBuffer, { on: table }: SplitMatrix, { on, side, rows }: SplitTokens): void {
    const { backends, stages } = this.#sides;
    const writes: Use[] = [[out, rows]];
    if (table[side]) return stages.record(side, [], writes, to => to.embed(out.on[side], table[side]!, on[side]));
    const there = other(side);
    const values = new Int32Array(rows);
    const fetch = async () => values.set(await backends[side].readTokens(on[side], rows));
    stages.recordAfter(there, fetch, writes, to => to.embed(out.on[there], table[there]!, values));
  }

  /** out = matrix * x. */
  one(out: SplitBuffer, matrix: SplitMatrix, x: SplitBuffer, rows: number, options: MatmulOptions): void {
    const { owner, stages } = this.#sides;
    const { accumulate } = options;
    const bias = options.bias && owner.own(options.bias).on;
    const reads: Use[] = [[x, rows], ...(accumulate ? [[out, rows] as const] : [])];
    const side = this.#sides.sideOf(matrix, reads);
    stages.record(side, reads, [[out, rows]], to =>
      to.matmul(out.on[side], matrix.on[side]!, x.on[side], rows, { bias: bias?.[side], accumulate }),
    );
  }

  /** A matrix for each head. */
  heads(out: SplitBuffer, matrix: SplitMatrix, x: SplitBuffer, rows: number, heads: number): void {
    const reads: Use[] = [[x, rows]];
    const side = this.#sides.sideOf(matrix, reads);
    this.#sides.stages.record(side, reads, [[out, rows]], to =>
      to.headMatmul(out.on[side], matrix.on[side]!, x.on[side], rows, heads),
    );
  }

  /** Those of one side together. */
  several(products: readonly Product[], x: SplitBuffer, rows: number): void {
    const { owner, stages } = this.#sides;
    const reads: Use[] = [[x, rows]];
    const owned = products.map(({ out, matrix, bias }) => ({
      ...{ out: owner.own(out), matrix: owner.own(matrix), bias: bias && owner.own(bias) },
    }));
    for (const [side, some] of Map.groupBy(owned, ({ matrix }) => this.#sides.sideOf(matrix, reads))) {
      const there = some.map(({ out, matrix, bias }) => ({
        ...{ out: out.on[side], matrix: matrix.on[side]!, bias: bias?.on[side] },
      }));
      const writes = some.map(({ out }): Use => [out, rows]);
      stages.record(side, reads, writes, to => to.matmuls(there, x.on[side], rows));
    }
  }
}

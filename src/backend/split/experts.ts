/** Products of experts, each on the side of its matrix. */
import { RealmError } from '../../errors.ts';
import type { Routing } from '../backend.ts';
import {
  bitOf,
  type SplitBuffer,
  type SplitMatrix,
  type SplitRouter,
  type SplitRouting,
  type SplitVector,
  type Use,
} from './handles.ts';
import type { Side } from './placement.ts';
import type { Sides } from './sides.ts';
import { other } from './stages.ts';

export class Experts {
  readonly #sides: Sides;

  constructor(sides: Sides) {
    this.#sides = sides;
  }

  routing(tokens: number, experts: number, topK: number): SplitRouting {
    const on = this.#sides.both(backend => backend.routing(tokens, experts, topK));
    return { owner: this.#sides.owner, experts, topK, on, held: 0, scores: undefined };
  }

  route(routing: SplitRouting, logits: SplitBuffer, rows: number, router: SplitRouter): void {
    const use: Use = [logits, rows];
    routing.held = 0;
    routing.scores = { use, writes: logits.whole.writes, router };
    this.#on(routing, this.#sides.stages.where([use]));
  }

  multiply(
    products: readonly { out: SplitBuffer; matrix: SplitMatrix; bias: SplitVector | undefined }[],
    x: SplitBuffer,
    from: 'tokens' | 'slots',
    routing: SplitRouting,
    rows: number,
  ): void {
    const slots = rows * routing.topK;
    const reads: Use[] = [[x, from === 'tokens' ? rows : slots]];
    for (const [side, some] of Map.groupBy(products, ({ matrix }) => this.#sides.sideOf(matrix, reads))) {
      const known = this.#on(routing, side);
      const there = some.map(({ out, matrix, bias }) => {
        return { out: out.on[side], matrix: matrix.on[side]!, bias: bias?.on[side] };
      });
      const writes = some.map(({ out }): Use => [out, slots]);
      this.#sides.stages.record(side, reads, writes, to => to.expertMatmuls(there, x.on[side], from, known, rows));
    }
  }

  combine(out: SplitBuffer, slots: SplitBuffer, routing: SplitRouting, rows: number): void {
    const { stages } = this.#sides;
    const reads: Use[] = [
      [slots, rows * routing.topK],
      [out, rows],
    ];
    const nearest = stages.where(reads);
    const side = routing.held & bitOf(nearest) ? nearest : other(nearest);
    const known = this.#on(routing, side);
    stages.record(side, reads, [[out, rows]], to => to.combine(out.on[side], slots.on[side], known, rows));
  }

  /** What was chosen is not brought over: the other side chooses again, from the same scores. */
  #on(routing: SplitRouting, side: Side): Routing {
    const { on, scores } = routing;
    if (routing.held & bitOf(side)) return on[side];
    if (!scores || scores.use[0].whole.writes !== scores.writes)
      throw new RealmError('internal_error', 'experts on a side that does not know who goes to them');
    routing.held |= bitOf(side);
    const [logits, rows] = scores.use;
    const { bias, scales } = scores.router;
    const options = { ...scores.router, bias: bias?.on[side], scales: scales?.on[side] };
    this.#sides.stages.record(side, [scores.use], [], to => to.route(on[side], logits.on[side], rows, options));
    return on[side];
  }
}

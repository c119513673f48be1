import type {
  BatchLayout,
  Buffer,
  ConvolutionOptions,
  DeltaInputs,
  DeltaShape,
  KvCache,
  ScanInputs,
  ScanShape,
  Vector,
} from '../backend.ts';
import type { Owner } from '../owner.ts';
import { groups, type Handles } from './handles.ts';
import { convolve, deltaRule, scan } from './states.ts';

/** The operations of layers with a state: each token of each segment, one after the other. */
export class StateLayers {
  readonly #owner: Owner<Handles>;
  readonly #record: (operation: () => void) => void;

  constructor(owner: Owner<Handles>, record: (operation: () => void) => void) {
    this.#owner = owner;
    this.#record = record;
  }

  convolve(
    out: Buffer,
    x: Buffer,
    kernel: Vector,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    { taps, bias, activation, at = 0 }: ConvolutionOptions,
  ): void {
    const [target, source, own] = [this.#owner.own(out), this.#owner.own(x), this.#owner.own(cache)];
    const weights = { kernel: this.#owner.own(kernel).values, bias: bias && this.#owner.own(bias).values, activation };
    this.#record(() => {
      for (const segment of batch.segments) {
        const window = own.state(layer, segment, at, (taps - 1) * x.columns);
        for (let row = segment.start; row < segment.start + segment.count; row++)
          convolve(target.row(row), source.row(row), window, weights);
      }
    });
  }

  deltaRule(
    out: Buffer,
    { qkv, alpha, beta, ...vectors }: DeltaInputs,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    shape: DeltaShape,
  ): void {
    const [target, source, own] = [this.#owner.own(out), this.#owner.own(qkv), this.#owner.own(cache)];
    const [alphas, betas] = [this.#owner.own(alpha), this.#owner.own(beta)];
    const [decay, shift] = [this.#owner.own(vectors.decay).values, this.#owner.own(vectors.shift).values];
    const { keyHeads, keyDim, valueHeads, valueDim, grouped, at = 0 } = shape;
    const sharing = grouped ? valueHeads / keyHeads : 1;
    this.#record(() => {
      for (const segment of batch.segments) {
        const states = own.state(layer, segment, at, valueHeads * keyDim * valueDim);
        for (let row = segment.start; row < segment.start + segment.count; row++) {
          const all = source.row(row);
          const part = (from: number, head: number, size: number) =>
            all.subarray(from + head * size, from + (head + 1) * size);
          for (let head = 0; head < valueHeads; head++) {
            const keyHead = Math.floor(head / sharing) % keyHeads;
            const token = {
              q: part(0, keyHead, keyDim),
              k: part(keyHeads * keyDim, keyHead, keyDim),
              v: part(2 * keyHeads * keyDim, head, valueDim),
              ...{ alpha: alphas.row(row)[head], beta: betas.row(row)[head], decay: decay[head], shift: shift[head] },
            };
            const size = keyDim * valueDim;
            const output = target.row(row).subarray(head * valueDim, (head + 1) * valueDim);
            deltaRule(output, token, states.subarray(head * size, (head + 1) * size), shape);
          }
        }
      }
    });
  }

  scan(
    out: Buffer,
    { xbc, dt, ...vectors }: ScanInputs,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    { heads, headDim, groups: count, stateDim, at = 0 }: ScanShape,
  ): void {
    const [target, source, own] = [this.#owner.own(out), this.#owner.own(xbc), this.#owner.own(cache)];
    const rates = this.#owner.own(dt);
    const [decay, shift, skip] = [vectors.decay, vectors.shift, vectors.skip].map(
      vector => this.#owner.own(vector).values,
    );
    const [size, from] = [stateDim * headDim, heads * headDim];
    this.#record(() => {
      for (const segment of batch.segments) {
        const states = groups(own.state(layer, segment, at, heads * size), size);
        for (let row = segment.start; row < segment.start + segment.count; row++) {
          const [xs, outs] = [source.row(row).subarray(0, from), target.row(row)].map(all => groups(all, headDim));
          const shared = groups(source.row(row).subarray(from), stateDim);
          states.forEach((state, head) => {
            const group = Math.floor((head * count) / heads);
            const own = { decay: decay[head], shift: shift[head], skip: skip[head], dt: rates.row(row)[head] };
            scan(outs[head], { x: xs[head], b: shared[group], c: shared[count + group], ...own }, state);
          });
        }
      }
    });
  }
}

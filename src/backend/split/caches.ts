/** The cache: each layer's pages and states on the side that the placement names. */
import type {
  AttentionOptions,
  Backend,
  BatchLayout,
  Buffer,
  KvCache,
  KvShape,
  LayerShape,
  MaybePromise,
} from '../backend.ts';
import type { Both, SplitBuffer, SplitCache, SplitVector, Use } from './handles.ts';
import type { Side } from './placement.ts';
import { eachSide, type Sides } from './sides.ts';

export class Caches {
  readonly #sides: Sides;

  constructor(sides: Sides) {
    this.#sides = sides;
  }

  create(shape: KvShape): SplitCache {
    const { owner, placement } = this.#sides;
    const counts: [number, number] = [0, 0];
    const places = shape.layers.map((_, i) => {
      const side = placement.layer(i);
      return { side, layer: counts[side]++ };
    });
    const on = this.#sides.both((backend, side) => {
      return backend.kvCache({ ...shape, layers: this.#layersOf(shape.layers, side) });
    });
    const [pageBytes, slotBytes] = [on[0].pageBytes + on[1].pageBytes, on[0].slotBytes + on[1].slotBytes];
    return { ...shape, owner, on, places, pageBytes, slotBytes };
  }

  pageBytes({ layers, type }: Pick<KvShape, 'layers' | 'type'>): number {
    const [first, last] = this.#sides.both((backend, side) => {
      return backend.kvPageBytes({ layers: this.#layersOf(layers, side), type });
    });
    return first + last;
  }

  store(
    { on, places }: SplitCache,
    layer: number,
    k: SplitBuffer,
    v: SplitBuffer,
    batch: BatchLayout,
    how: 'storeKv' | 'storeLatent' = 'storeKv',
  ): void {
    const { side, layer: there } = places[layer]!;
    const reads: Use[] = [
      [k, batch.tokens],
      [v, batch.tokens],
    ];
    this.#sides.stages.record(side, reads, [], to => to[how](on[side], there, k.on[side], v.on[side], batch));
  }

  attend(
    out: SplitBuffer,
    q: SplitBuffer,
    { on, places }: SplitCache,
    layer: number,
    batch: BatchLayout,
    options: AttentionOptions & { readonly sinks?: SplitVector | undefined },
  ): void {
    const { side, layer: there } = places[layer]!;
    this.#sides.stages.record(side, [[q, batch.tokens]], [[out, batch.tokens]], to =>
      to.attention(out.on[side], q.on[side], on[side], there, batch, { ...options, sinks: options.sinks?.on[side] }),
    );
  }

  /** What a layer with a state makes of rows, on that layer's side. */
  pass(
    out: SplitBuffer,
    reads: readonly SplitBuffer[],
    { on, places }: SplitCache,
    layer: number,
    { tokens }: BatchLayout,
    work: (to: Backend, side: Side, out: Buffer, cache: KvCache, layer: number) => void,
  ): void {
    const { side, layer: there } = places[layer]!;
    const uses = reads.map((read): Use => [read, tokens]);
    this.#sides.stages.record(side, uses, [[out, tokens]], to => work(to, side, out.on[side], on[side], there));
  }

  copyPages({ on }: SplitCache, pairs: Int32Array): void {
    for (const side of eachSide) this.#sides.stages.recordAlways(side, to => to.copyPages(on[side], pairs));
  }

  copySlots({ on, slotBytes }: SplitCache, pairs: Int32Array): void {
    if (slotBytes === 0) return;
    for (const side of eachSide) this.#sides.stages.recordAlways(side, to => to.copySlots(on[side], pairs));
  }

  /** Moves a page or a state of both sides at once: the first side's part of the bytes, and the last's behind it. */
  async move(
    { on }: SplitCache,
    unit: 'pageBytes' | 'slotBytes',
    bytes: Uint8Array,
    work: (backend: Backend, cache: SplitCache['on'][Side], part: Uint8Array) => MaybePromise<void>,
  ): Promise<void> {
    const border = on[0][unit];
    const parts: Both<Uint8Array> = [bytes.subarray(0, border), bytes.subarray(border)];
    await Promise.all(this.#sides.both((backend, side) => work(backend, on[side], parts[side])));
  }

  #layersOf(layers: readonly LayerShape[], side: Side): LayerShape[] {
    return layers.filter((_, i) => this.#sides.placement.layer(i) === side);
  }
}

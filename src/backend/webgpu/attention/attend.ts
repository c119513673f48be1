/** Records a batch's attention: its tiles, and what puts their splits together. */
import type { AttentionOptions, BatchLayout } from '../../backend.ts';
import type { Context } from '../context.ts';
import type { GpuVector, GpuWorkBuffer, PagedLayer } from '../handles.ts';
import { kernelFor } from '../ops/attention.ts';
import { attentionCombine } from '../ops/attention-combine.ts';
import { geometriesOf, type InFlight, kinds } from './geometry.ts';
import { type Plan, type PlanOptions, planOf } from './plan.ts';
import { sightOf } from './sight.ts';

/** With sinks of its own. */
export interface GpuAttention extends Omit<AttentionOptions, 'sinks'> {
  readonly sinks?: GpuVector | undefined;
}

/** How the work is cut: it changes speed, and no bits. */
export interface Cuts {
  /** Workgroups from which on the heads of a row share one: fewer leave a large GPU idle. */
  readonly shareFrom: number;
  /** Workgroups below which tiles are cut into their splits: enough for a large GPU is worth what combining costs. */
  readonly splitBelow: number;
  /** Words for partial results, unless one tile needs more. */
  readonly scratchWords: number;
  /** Words of the cache that are asked for at once, at most. */
  readonly inFlight: InFlight;
}

const usual: Cuts = { shareFrom: 128, splitBelow: 512, scratchWords: 8 << 20, inFlight: 32 };
/** A processor that computes as a GPU would has its memory near, and compiles what is written out slowly. */
const onProcessor: Cuts = { ...usual, inFlight: 4 };

export class Attention {
  readonly #context: Context;
  readonly #cuts: Cuts;
  /** Made once a batch: layers of a kind attend alike. */
  readonly #plans = new WeakMap<BatchLayout, Map<string, Plan>>();
  #scratch = { at: 0, words: 0 };

  constructor(context: Context, cuts: Partial<Cuts> = {}) {
    this.#context = context;
    this.#cuts = { ...(context.device.isSoftware ? onProcessor : usual), ...cuts };
  }

  attend(
    out: GpuWorkBuffer,
    q: GpuWorkBuffer,
    layer: PagedLayer,
    batch: BatchLayout,
    { heads, scale, softcap = 0, sinks, ...seen }: GpuAttention,
  ): void {
    const { recorder, device } = this.#context;
    const { kvHeads, headDim, headWords, pageWords } = layer;
    const { maxComputeWorkgroupStorageSize: limit } = device.limits;
    const group = heads / kvHeads;
    const { shareFrom, splitBelow, scratchWords, inFlight } = this.#cuts;
    const geometries = geometriesOf(layer, group, limit, inFlight);
    const slotWords = heads * (headDim + 2);
    const slots = Math.floor(scratchWords / slotWords);
    const sight = sightOf(seen);
    const plan = this.#planOf(batch, { sight, kvHeads, geometries, shareFrom, splitBelow, slots });
    const pages = recorder.table(plan.words);
    const scratch = this.#scratchOf(plan.slots * slotWords);
    const values = {
      ...{ q: q.at, qStride: q.stride, out: out.at, outStride: out.stride, scratch, pages, heads, group },
      ...{ scale, ...sight, cap: softcap, inverse: softcap && 1 / Math.fround(softcap) },
      ...{ valuesAt: kvHeads * headWords, pageWords, sinks: sinks?.at ?? 0 },
    };
    const scores = { capped: softcap > 0, sunk: sinks !== undefined };
    for (const { kind, items, itemCount, combine, combineCount } of plan.pieces) {
      const { together, parts } = geometries[kind];
      const kernel = kernelFor(layer, geometries[kind], scores);
      const own = { items: pages + items, together, parts };
      recorder.record(kernel, [itemCount, kvHeads * parts], { ...values, ...own }, [layer.buffer]);
      const rows = {
        ...{ rows: pages + combine, count: combineCount, out: out.at, outStride: out.stride, scratch, headDim },
        ...{ sunk: Number(scores.sunk), sinks: values.sinks },
      };
      recorder.record(attentionCombine, [combineCount, heads], rows);
    }
  }

  #planOf(batch: BatchLayout, options: PlanOptions): Plan {
    const { sight, kvHeads, slots, geometries } = options;
    const shares = kinds.flatMap(kind => [geometries[kind].rows, geometries[kind].parts]);
    const key = [sight.behind, sight.ahead, kvHeads, slots, ...shares].join(' ');
    const plans = this.#plans.get(batch) ?? new Map<string, Plan>();
    this.#plans.set(batch, plans);
    const plan = plans.get(key) ?? planOf(batch, options);
    plans.set(key, plan);
    return plan;
  }

  /** Room for words that no other dispatch needs meanwhile. */
  #scratchOf(words: number): number {
    if (words > this.#scratch.words) {
      const larger = Math.max(words, 2 * this.#scratch.words);
      this.#scratch = { at: this.#context.work.take(larger), words: larger };
    }
    return this.#scratch.at;
  }
}

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { AttentionOptions, BatchLayout, CacheType } from '../backend.ts';
import { floats, layout, type Span, shuffledPages } from '../parity/data.ts';
import { assertSameBits } from '../parity/suite.ts';
import { attend, reachOf } from '../reference/attention.ts';
import { ReferenceKvCache } from '../reference/kv-cache.ts';
import type { Cuts } from './attention/attend.ts';
import { Caches } from './caches.ts';
import { Context } from './context.ts';
import type { GpuWorkBuffer } from './handles.ts';

interface Case extends Omit<AttentionOptions, 'scale' | 'sinks'> {
  readonly sunk?: boolean;
  readonly type: CacheType;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** 520 positions of a sequence, of which the last 22 ask: two tiles of rows, over three splits. */
const long = { heads: 6, kvHeads: 2, headDim: 32, type: 'F16' } as const;
const [asked, end] = [498, 520];
/** Heads of a row in one workgroup, however few there are; as many words at once as on a GPU. */
const shared = { shareFrom: 0, inFlight: 32 } as const;

/** A sequence of steps on a cache of two layers, of which the second is used: what each row of each step comes to. */
type Run = (steps: readonly (readonly Span[])[]) => Promise<Float32Array[][]>;

describe('attention over a paged cache on a GPU', () => {
  let context: Context;
  before(async () => {
    context = await Context.open();
  });
  after(() => context.close());

  const steps = (pages: (sequence: number) => Int32Array): Span[][] => [
    [{ position: 0, count: 35, pages: pages(0) }],
    [
      { position: 35, count: 3, pages: pages(0) },
      { position: 0, count: 7, pages: pages(1) },
    ],
    [
      { position: 38, count: 1, pages: pages(0) },
      { position: 7, count: 1, pages: pages(1) },
      { position: 0, count: 2, pages: pages(2) },
    ],
  ];
  const cases: Case[] = [
    { type: 'F16', heads: 9, kvHeads: 3, headDim: 64, window: 33 },
    { type: 'F16', heads: 20, kvHeads: 1, headDim: 40, softcap: 50 },
    { type: 'F16', heads: 2, kvHeads: 1, headDim: 256 },
    { type: 'F16', heads: 6, kvHeads: 2, headDim: 32, sunk: true },
    { type: 'Q8_0', heads: 6, kvHeads: 2, headDim: 96, window: 5, softcap: 20 },
  ];
  for (const each of cases) {
    test(`is the reference's: ${JSON.stringify(each)}`, async () => {
      const pages = shuffledPages(3, 64, 1);
      const expected = (await onReference(each)(steps(pages))).flat();
      assertSameBits((await onGpu(context, each)(steps(pages))).flat(), expected);
      assertSameBits((await onGpu(context, each, shared)(steps(pages))).flat(), expected);
    });
  }

  for (const type of ['F16', 'Q8_0'] as const) {
    test(`what is no number stays none in a ${type} cache`, async () => {
      const caches = new Caches(context);
      const cache = caches.create({ layers: [{ kvHeads: 1, headDim: 32 }], pages: 1, slots: 0, type });
      const batch = layout([{ position: 0, count: 2, pages: Int32Array.of(0) }]);
      const [k, q] = [upload(context, [floats(1, 32), floats(2, 32)]), upload(context, [floats(3, 96), floats(4, 96)])];
      const v = upload(context, [floats(5, 32), floats(6, 32).fill(Number.NaN, 3, 4)]);
      const out = context.buffer(2, 96);
      caches.store(cache, 0, k, v, batch);
      caches.attend(out, q, cache, 0, batch, { heads: 3, scale: 0.2 });
      const [first, second] = await download(context, out);
      assert.ok(first!.every(Number.isFinite));
      assert.ok([3, 35, 67].every(d => Number.isNaN(second![d])));
    });
  }

  const variants = [
    {},
    { window: 300, softcap: 30 },
    { type: 'Q8_0', window: 100 },
    { window: 300, sunk: true },
  ] as const;
  for (const variant of variants) {
    test(`is summed in splits of 256 positions, whatever the chunks and cuts: ${JSON.stringify(variant)}`, async () => {
      const each = { ...long, ...variant };
      const pages = shuffledPages(1, end, 1)(0);
      const whole = [{ position: asked, count: end - asked, pages }];
      const expected = await longOnReference(each, whole[0]!);
      const run = (spans: readonly Span[], cuts: Partial<Cuts> = {}) => longOnGpu(context, each, spans, pages, cuts);
      const chunks = (...counts: number[]) => {
        let position = asked;
        return counts.map(count => {
          position += count;
          return { position: position - count, count, pages };
        });
      };
      assertSameBits(await run(whole), expected);
      assertSameBits(await run(whole, { splitBelow: 0 }), expected);
      assertSameBits(await run(chunks(1, 2, 12, 1, 6)), expected);
      assertSameBits(await run(chunks(1, 2, 12, 1, 6), { splitBelow: 0 }), expected);
      assertSameBits(await run(chunks(1, 13, 1, 1, 1, 1, 1, 1, 1, 1), { scratchWords: 2000, ...shared }), expected);
      assertSameBits(await run(chunks(14, 1, 1, 3, 3), { splitBelow: 0, ...shared }), expected);
    });
  }
});

const sinksOf = ({ heads, sunk }: Case) => (sunk ? floats(4, heads, 8) : undefined);

const scaleOf = ({ headDim }: Case): number => Math.fround(1 / Math.sqrt(headDim));

/** Seeded by position and sequence alone: chunks of a text hold the same values. Some are tiny: subnormal as F16. */
function rowsOf(
  spans: readonly Span[],
  seed: number,
  columns: number,
  scaleAt: (position: number) => number,
): Float32Array[] {
  return spans.flatMap(({ position, count, pages }) =>
    Array.from({ length: count }, (_, i) =>
      floats(seed + 1000 * pages[0]! + position + i, columns, scaleAt(position + i)),
    ),
  );
}

function inputs({ heads, kvHeads, headDim }: Case, spans: readonly Span[]) {
  const small = (position: number) => (position % 5 === 4 ? 1e-5 : 1);
  return {
    q: rowsOf(spans, 1e6, heads * headDim, () => 3),
    k: rowsOf(spans, 2e6, kvHeads * headDim, small),
    v: rowsOf(spans, 3e6, kvHeads * headDim, position => (position === 2 ? 1e5 : small(position))),
  };
}

function onGpu(context: Context, each: Case, cuts: Partial<Cuts> = {}): Run {
  const { heads, kvHeads, headDim, type, window, softcap } = each;
  const [caches, sinks] = [new Caches(context, cuts), sinksOf(each)];
  const options = { heads, scale: scaleOf(each), window, softcap, sinks: sinks && context.vector(sinks) };
  const layer = { kvHeads, headDim };
  const cache = caches.create({ layers: [layer, layer], pages: 40, slots: 0, type });
  return async steps => {
    const results: Float32Array[][] = [];
    for (const spans of steps) {
      const batch = layout(spans);
      const { q, k, v } = inputs(each, spans);
      const out = context.buffer(batch.tokens, heads * headDim);
      caches.store(cache, 1, upload(context, k), upload(context, v), batch);
      caches.attend(out, upload(context, q), cache, 1, batch, options);
      results.push(await download(context, out));
    }
    return results;
  };
}

async function longOnGpu(context: Context, each: Case, spans: readonly Span[], pages: Int32Array, cuts: Partial<Cuts>) {
  const { heads, kvHeads, headDim, type, window, softcap } = each;
  const [caches, sinks] = [new Caches(context, cuts), sinksOf(each)];
  const options = { heads, scale: scaleOf(each), window, softcap, sinks: sinks && context.vector(sinks) };
  const cache = caches.create({ layers: [{ kvHeads, headDim }], pages: 40, slots: 0, type });
  const all = layout([{ position: 0, count: end, pages }]);
  const { k, v } = inputs(each, [{ position: 0, count: end, pages }]);
  caches.store(cache, 0, upload(context, k), upload(context, v), all);
  const batch = layout(spans);
  const out = context.buffer(batch.tokens, heads * headDim);
  const q = upload(context, inputs(each, spans).q);
  caches.attend(out, q, cache, 0, batch, options);
  return download(context, out);
}

async function longOnReference(each: Case, span: Span): Promise<Float32Array[]> {
  const { kvHeads, headDim, type } = each;
  const cache = new ReferenceKvCache({ layers: [{ kvHeads, headDim }], pages: 40, slots: 0, type }, {});
  const all = { position: 0, count: end, pages: span.pages };
  const { k, v } = inputs(each, [all]);
  cache.store(0, k, v, layout([all]));
  const batch = layout([span]);
  return inputs(each, [span]).q.map((row, i) => rowOf(cache, 0, each, batch, row, i));
}

function onReference(each: Case): Run {
  const { kvHeads, headDim, type } = each;
  const layer = { kvHeads, headDim };
  const cache = new ReferenceKvCache({ layers: [layer, layer], pages: 40, slots: 0, type }, {});
  return async steps =>
    steps.map(spans => {
      const batch = layout(spans);
      const { q, k, v } = inputs(each, spans);
      cache.store(1, k, v, batch);
      return q.map((row, i) => rowOf(cache, 1, each, batch, row, i));
    });
}

function rowOf(
  cache: ReferenceKvCache,
  layer: number,
  each: Case,
  batch: BatchLayout,
  q: Float32Array,
  row: number,
): Float32Array {
  const { heads, kvHeads, headDim } = each;
  const segment = batch.segments.find(({ start, count }) => row >= start && row < start + count)!;
  const out = new Float32Array(heads * headDim);
  for (let head = 0; head < heads; head++) {
    const kv = cache.head(layer, segment, Math.floor((head * kvHeads) / heads));
    const own = (values: Float32Array) => values.subarray(head * headDim, (head + 1) * headDim);
    const options = { ...each, scale: scaleOf(each), sink: sinksOf(each)?.[head] };
    attend(own(out), own(q), reachOf(segment, row - segment.start, options), kv, options);
  }
  return out;
}

function upload(context: Context, rows: readonly Float32Array[]): GpuWorkBuffer {
  const buffer = context.buffer(rows.length, rows[0]!.length);
  rows.forEach((row, i) => void context.work.write(buffer.at + i * buffer.stride, row));
  return buffer;
}

async function download(context: Context, { at, stride, rows, columns }: GpuWorkBuffer): Promise<Float32Array[]> {
  context.recorder.submit();
  const part = { buffer: context.work.buffer(), at: 4 * at, bytes: 4 * stride * rows };
  const all = new Float32Array((await context.readback.read([part])).buffer);
  return Array.from({ length: rows }, (_, row) => all.slice(row * stride, row * stride + columns));
}

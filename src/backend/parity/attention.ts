import { type AttentionOptions, type Backend, type CacheType, splitTokens } from '../backend.ts';
import { floats, layout, type Span, shuffledPages } from './data.ts';
import { filled, results, type Same } from './suite.ts';

interface Heads {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly type: CacheType;
}

interface Variant extends Omit<AttentionOptions, 'heads' | 'scale' | 'sinks'> {
  /** How far the heads' sinks lie around 0. */
  readonly sinks?: number;
}

export function attention(same: Same): void {
  acrossSplits(same);
  bothWays(same);
  const variants: Variant[] = [{}, { window: 33 }, { window: 5, softcap: 20 }, { softcap: 50 }, { sinks: 8 }];
  const shapes: Omit<Heads, 'type'>[] = [
    { heads: 4, kvHeads: 4, headDim: 64 },
    { heads: 9, kvHeads: 3, headDim: 64 },
    { heads: 8, kvHeads: 1, headDim: 128 },
    { heads: 6, kvHeads: 2, headDim: 80 },
    { heads: 2, kvHeads: 1, headDim: 256 },
  ];
  const caches = (['F16', 'Q8_0'] as const).flatMap(type => shapes.map(shape => ({ ...shape, type })));
  for (const shape of caches.filter(({ type, headDim }) => type === 'F16' || headDim % 32 === 0)) {
    for (const variant of variants) {
      const { heads, kvHeads, headDim, type } = shape;
      same(
        `attention ${heads}/${kvHeads} heads of ${headDim}, ${type} ${JSON.stringify(variant)}`,
        async backend => {
          const run = sequences(backend, shape, variant);
          const pages = shuffledPages(3, 130, 1);
          const [a, b, c] = [pages(0), pages(1), pages(2)];
          return [
            ...(await run([{ position: 0, count: 45, pages: a }], 1)),
            ...(await run(
              [
                { position: 45, count: 19, pages: a },
                { position: 0, count: 70, pages: b },
              ],
              2,
            )),
            ...(await run(
              [
                { position: 64, count: 1, pages: a },
                { position: 70, count: 1, pages: b },
                { position: 0, count: 3, pages: c },
              ],
              3,
            )),
          ];
        },
        variant.sinks ? 'sinks' : undefined,
      );
    }
  }
}

/** Positions on both sides of the borders of splits; windows that begin in one and end in another. */
function acrossSplits(same: Same): void {
  const cases: (Heads & { variants: Variant[] })[] = [
    { heads: 3, kvHeads: 1, headDim: 64, type: 'F16', variants: [{}, { window: 5, softcap: 20 }, { window: 300 }] },
    { heads: 8, kvHeads: 1, headDim: 64, type: 'F16', variants: [{ sinks: 60 }, { window: 128, sinks: 8 }] },
    { heads: 8, kvHeads: 1, headDim: 96, type: 'Q8_0', variants: [{}, { window: 300 }] },
    { heads: 1, kvHeads: 1, headDim: 80, type: 'F16', variants: [{}] },
  ];
  for (const { variants, ...shape } of cases) {
    for (const variant of variants) {
      const title = `${shape.heads} heads of ${shape.headDim}, ${shape.type} ${JSON.stringify(variant)}`;
      same(
        `attention across splits, ${title}`,
        async backend => {
          const run = sequences(backend, shape, variant, 17);
          const pages = shuffledPages(1, 2 * splitTokens + 10, 1)(0);
          await run([{ position: 0, count: 2 * splitTokens + 10, pages }], 1, 'store');
          const spans = [254, 511].map(position => ({ position, count: 5, pages }));
          return [...(await run(spans, 2)), ...(await run([{ position: 517, count: 1, pages }], 3))];
        },
        variant.sinks ? 'sinks' : undefined,
      );
    }
  }
}

/** Whole texts, some of them longer than a split, beside each other and alone. */
function bothWays(same: Same): void {
  const shapes: Heads[] = [
    { heads: 12, kvHeads: 12, headDim: 32, type: 'F16' },
    { heads: 3, kvHeads: 1, headDim: 64, type: 'F16' },
    { heads: 2, kvHeads: 2, headDim: 64, type: 'Q8_0' },
  ];
  for (const shape of shapes) {
    for (const window of [undefined, 1, 8, 301]) {
      same(
        `attention both ways, ${shape.heads} heads of ${shape.headDim}, ${shape.type}, window ${window}`,
        async backend => {
          const run = sequences(backend, shape, { twoWay: true, window }, 30);
          const pages = shuffledPages(3, 300, 1);
          const texts = [33, 280, 1].map((count, i) => ({ position: 0, count, pages: pages(i) }));
          return [...(await run(texts, 1)), ...(await run(texts.slice(1, 2), 2))];
        },
        'two-way',
      );
    }
  }
}

/** Runs batches on one cache of two layers: stores seeded keys and values into the second, attends with seeded queries. */
function sequences(backend: Backend, { heads, kvHeads, headDim, type }: Heads, variant: Variant, pages = 15) {
  const cache = backend.kvCache({
    layers: [
      { kvHeads, headDim },
      { kvHeads, headDim },
    ],
    pages,
    slots: 0,
    type,
  });
  const sinks = variant.sinks === undefined ? undefined : backend.vector(floats(40, heads, variant.sinks));
  return (spans: readonly Span[], seed: number, work: 'store' | 'attend' = 'attend'): Promise<Float32Array[]> => {
    const batch = layout(spans);
    const k = filled(backend, seed + 10, batch.tokens, kvHeads * headDim, 3);
    const v = filled(backend, seed + 20, batch.tokens, kvHeads * headDim);
    backend.write(v, 0, floats(seed, kvHeads * headDim, 1e5)); // beyond F16: stored as its largest
    const out = backend.buffer(batch.tokens, heads * headDim);
    backend.storeKv(cache, 1, k, v, batch);
    if (work === 'store') return results(backend);
    const q = filled(backend, seed, batch.tokens, heads * headDim, 3);
    backend.attention(out, q, cache, 1, batch, { ...variant, heads, scale: 1 / Math.sqrt(headDim), sinks });
    return results(backend, out);
  };
}

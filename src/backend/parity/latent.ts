/** Latent attention, and products with a matrix for each head. */
import { type Backend, type CacheType, splitTokens } from '../backend.ts';
import { floats, layout, type Span, shuffledPages } from './data.ts';
import { filled, results, type Same, weights } from './suite.ts';

interface Shape {
  readonly heads: number;
  readonly latentDim: number;
  readonly rotatedDim: number;
  readonly type: CacheType;
}

const shapes: readonly Shape[] = [
  { heads: 1, latentDim: 64, rotatedDim: 32, type: 'F16' },
  { heads: 3, latentDim: 40, rotatedDim: 8, type: 'F16' },
  { heads: 16, latentDim: 512, rotatedDim: 64, type: 'F16' },
  { heads: 20, latentDim: 96, rotatedDim: 32, type: 'Q8_0' },
  { heads: 6, latentDim: 32, rotatedDim: 64, type: 'Q8_0' },
];

export function latents(same: Same): void {
  for (const shape of shapes) {
    const { heads, latentDim, rotatedDim, type } = shape;
    const title = `${heads} heads of ${latentDim} and ${rotatedDim}, ${type}`;
    same(`latent attention, ${title}`, backend => chunks(backend, shape), 'latent');
    same(`latent attention across splits, ${title}`, backend => acrossSplits(backend, shape), 'latent');
  }
  same('latent attention beside attention in one cache, in copies of pages', copied, 'latent');
  for (const type of ['F32', 'F16', 'Q8_0', 'Q4_K'] as const) {
    for (const tokens of [1, 3, 7, 40]) {
      same(
        `a matrix for each head, ${type}, ${tokens} tokens`,
        async backend => {
          const [heads, rows, columns] = [5, 24, 256];
          const matrix = await weights(backend, type, heads * rows, columns);
          const out = backend.buffer(tokens, heads * rows);
          backend.headMatmul(out, matrix, filled(backend, 1, tokens, heads * columns), tokens, heads);
          return results(backend, out);
        },
        'latent',
      );
    }
  }
}

/** Several sequences, each in several chunks. */
async function chunks(backend: Backend, shape: Shape): Promise<Float32Array[]> {
  const run = sequences(backend, shape);
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
}

async function acrossSplits(backend: Backend, shape: Shape): Promise<Float32Array[]> {
  const run = sequences(backend, shape, 17);
  const pages = shuffledPages(1, 2 * splitTokens + 10, 1)(0);
  await run([{ position: 0, count: 2 * splitTokens + 3, pages }], 1, 'store');
  return [
    ...(await run([{ position: 254, count: 4, pages }], 2)),
    ...(await run([{ position: 510, count: 5, pages }], 3)),
  ];
}

/** Runs batches on one cache: stores seeded latents, attends with seeded queries. */
function sequences(backend: Backend, { heads, latentDim, rotatedDim, type }: Shape, pages = 15) {
  const shape = { kvHeads: 1, headDim: latentDim + rotatedDim, latentDim };
  const cache = backend.kvCache({ layers: [shape, shape], pages, slots: 0, type });
  return (spans: readonly Span[], seed: number, work: 'store' | 'attend' = 'attend'): Promise<Float32Array[]> => {
    const batch = layout(spans);
    const latent = filled(backend, seed + 10, batch.tokens, latentDim);
    const rotated = filled(backend, seed + 20, batch.tokens, rotatedDim, 3);
    backend.write(latent, 0, floats(seed, latentDim, 1e5)); // beyond F16: stored as its largest
    backend.storeLatent(cache, 1, latent, rotated, batch);
    if (work === 'store') return results(backend);
    const out = backend.buffer(batch.tokens, heads * latentDim);
    const queries = {
      latent: filled(backend, seed, batch.tokens, heads * latentDim),
      rotated: filled(backend, seed + 30, batch.tokens, heads * rotatedDim, 3),
    };
    backend.attendLatent(out, queries, cache, 1, batch, { heads, scale: 0.1 });
    return results(backend, out);
  };
}

async function copied(backend: Backend): Promise<Float32Array[]> {
  const layers = [
    { kvHeads: 2, headDim: 64 },
    { kvHeads: 1, headDim: 48, latentDim: 32 },
  ];
  const cache = backend.kvCache({ layers, pages: 4, slots: 0, type: 'F16' });
  const batch = layout([{ position: 0, count: 40, pages: Int32Array.of(0, 1) }]);
  backend.storeKv(cache, 0, filled(backend, 1, 40, 128), filled(backend, 2, 40, 128), batch);
  backend.storeLatent(cache, 1, filled(backend, 3, 40, 32), filled(backend, 4, 40, 16), batch);
  backend.copyPages(cache, Int32Array.of(0, 3, 1, 2));
  const last = layout([{ position: 39, count: 1, pages: Int32Array.of(3, 2) }]);
  const outs = [backend.buffer(1, 256), backend.buffer(1, 128)] as const;
  backend.attention(outs[0], filled(backend, 5, 1, 256), cache, 0, last, { heads: 4, scale: 0.1 });
  const queries = { latent: filled(backend, 6, 1, 128), rotated: filled(backend, 7, 1, 64) };
  backend.attendLatent(outs[1], queries, cache, 1, last, { heads: 4, scale: 0.1 });
  return results(backend, ...outs);
}

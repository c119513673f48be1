/** Products of experts, with biases too, and who chooses them. */
import type { QuantType } from '../../quant/types.ts';
import type { Backend, RouterOptions } from '../backend.ts';
import { floats } from './data.ts';
import { filled, results, type Same, weights } from './suite.ts';

const [expertCount, topK, width, inner] = [5, 2, 64, 40];

/** `types`: those that the backend has kernels for. */
export function expertBiases(same: Same, types: readonly QuantType[]): void {
  for (const type of (['F32', 'Q8_0', 'MXFP4'] as const).filter(type => types.includes(type))) {
    for (const tokens of [1, 3, 9, 40]) {
      const title = `${tokens} tokens, ${expertCount} experts in ${type} with biases`;
      same(title, backend => biased(backend, type, tokens), 'expertBiases');
    }
  }
}

async function biased(backend: Backend, type: 'F32' | 'Q8_0' | 'MXFP4', tokens: number): Promise<Float32Array[]> {
  const matrix = await weights(backend, type, expertCount * inner, width);
  const bias = backend.vector(floats(7, expertCount * inner));
  const routing = backend.routing(tokens, expertCount, topK);
  const [first, second] = [backend.buffer(tokens * topK, inner), backend.buffer(tokens * topK, inner)];
  backend.route(routing, filled(backend, 1, tokens, expertCount), tokens);
  const products = [
    { out: first, matrix, bias },
    { out: second, matrix },
  ];
  backend.expertMatmuls(products, filled(backend, 2, tokens, width), 'tokens', routing, tokens);
  return results(backend, first, second);
}

type Router = Omit<RouterOptions, 'bias' | 'scales'> & { readonly biased?: boolean; readonly scaled?: boolean };

/** What each kind of router chooses, and what becomes of what its experts give. */
export function experts(same: Same): void {
  same('experts of the likeliest', backend => routed(backend, {}));
  same('experts with scales', backend => routed(backend, { scaled: true }));
  const routers: readonly Router[] = [
    { normalised: false },
    { scale: 2.5 },
    { kind: 'sigmoid' },
    { kind: 'sigmoid', biased: true, normalised: false },
    { kind: 'sigmoid', biased: true, groups: { count: 4, used: 2 }, scale: 1.8 },
    { biased: true, groups: { count: 8, used: 3 } },
    { kind: 'chosen' },
    { kind: 'chosen', biased: true, scaled: true, scale: 0.3 },
  ];
  for (const router of routers) same(`experts by ${JSON.stringify(router)}`, backend => routed(backend, router));
}

async function routed(backend: Backend, { biased, scaled, ...router }: Router): Promise<Float32Array[]> {
  const [rows, count, topK, width, inner] = [6, 16, 3, 64, 32];
  const bias = biased ? backend.vector(floats(9, count, 0.2)) : undefined;
  const scales = scaled ? backend.vector(floats(8, count)) : undefined;
  const scores = filled(backend, 1, rows, count, 2);
  // One whose scores are all equal, and one with the borders of exp.
  backend.write(scores, 1, new Float32Array(count).fill(0.5));
  backend.write(
    scores,
    2,
    Float32Array.from({ length: count }, (_, i) => (i % 2 ? 1 : -1) * i * 20),
  );
  const routing = backend.routing(rows, count, topK);
  const x = filled(backend, 2, rows, width);
  const [slots, out] = [backend.buffer(rows * topK, width), filled(backend, 3, rows, width)];
  const middle = backend.buffer(rows * topK, inner);
  const up = await weights(backend, 'Q8_0', count * inner, width, 4);
  const down = await weights(backend, 'Q8_0', count * width, inner, 5);
  backend.route(routing, scores, rows, { ...router, bias, scales });
  backend.expertMatmuls([{ out: middle, matrix: up }], x, 'tokens', routing, rows);
  backend.expertMatmuls([{ out: slots, matrix: down }], middle, 'slots', routing, rows);
  backend.combine(out, slots, routing, rows);
  return results(backend, out, scores);
}

/** Products of experts with biases. */
import type { Backend } from '../backend.ts';
import { floats } from './data.ts';
import { filled, results, type Same, weights } from './suite.ts';

const [experts, topK, width, inner] = [5, 2, 64, 40];

export function expertBiases(same: Same): void {
  for (const type of ['F32', 'Q8_0', 'MXFP4'] as const) {
    for (const tokens of [1, 3, 9, 40]) {
      const title = `${tokens} tokens, ${experts} experts in ${type} with biases`;
      same(title, backend => biased(backend, type, tokens), 'expertBiases');
    }
  }
}

async function biased(backend: Backend, type: 'F32' | 'Q8_0' | 'MXFP4', tokens: number): Promise<Float32Array[]> {
  const matrix = await weights(backend, type, experts * inner, width);
  const bias = backend.vector(floats(7, experts * inner));
  const routing = backend.routing(tokens, experts, topK);
  const [first, second] = [backend.buffer(tokens * topK, inner), backend.buffer(tokens * topK, inner)];
  backend.route(routing, filled(backend, 1, tokens, experts), tokens);
  const products = [
    { out: first, matrix, bias },
    { out: second, matrix },
  ];
  backend.expertMatmuls(products, filled(backend, 2, tokens, width), 'tokens', routing, tokens);
  return results(backend, first, second);
}

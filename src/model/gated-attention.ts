import type { LoadPart } from './hybrid.ts';
import { type AttentionWeights, addProduct, attend } from './layers.ts';
import type { Loading } from './loading.ts';
import { once } from './once.ts';
import { qkv } from './qkv.ts';
import { readRope } from './rope.ts';
import type { Linear } from './tensors.ts';

/** Attention whose output is multiplied by the sigmoid of a gate, made of the same input as the queries. arXiv:2505.06708 */
export function gatedAttention(loading: Loading): LoadPart {
  const { backend, keys, config, options } = loading;
  const { heads, headDim } = config;
  const rope = backend.ropeTable(readRope(keys, config, { style: 'halves', kvTokens: options.kvTokens }));
  const work = once(() => backend.buffer(options.maxBatchTokens, heads * headDim));
  const attention = { heads, scale: 1 / Math.sqrt(headDim) };
  return async prefix => {
    const weights = await loadWeights(loading, prefix);
    const gate = work();
    const also = [{ out: gate, ...weights.gate }];
    return (step, layer) => {
      const { work, batch } = step;
      attend(step, layer, weights, rope, attention, { also });
      backend.gate(gate, gate, work.mixed, 'sigmoid', batch.tokens);
      addProduct(step, weights.output, gate);
    };
  };
}

/** In the file each head's rows of queries are followed by those of its gate. */
async function loadWeights(loading: Loading, prefix: string): Promise<AttentionWeights & { readonly gate: Linear }> {
  const { tensors, config } = loading;
  const { width, heads, kvHeads, headDim } = config;
  const [rows, kv] = [heads * headDim, kvHeads * headDim];
  const load = qkv(loading, prefix, { q: 2 * rows, k: kv, v: kv });
  const half = (first: number) => load('q', { first, count: rows, run: headDim, step: 2 * headDim });
  return {
    q: await half(0),
    gate: await half(headDim),
    k: await load('k'),
    v: await load('v'),
    output: await tensors.linear(`${prefix}.attn_output`, width, rows),
    qNorm: await tensors.vector(`${prefix}.attn_q_norm.weight`, headDim),
    kNorm: await tensors.vector(`${prefix}.attn_k_norm.weight`, headDim),
  };
}

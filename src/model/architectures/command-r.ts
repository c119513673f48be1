import { defineArchitecture } from '../architecture.ts';
import { parallel } from '../parallel.ts';
import { readRope } from '../rope.ts';

/** Command R, Aya: attention and feed-forward network side by side behind one LayerNorm, a factor on logits. */
export const commandR = defineArchitecture({
  name: 'command-r',
  epsilon: ['attention.layer_norm_epsilon'],
  norm: 'layer',
  logitScale: keys => keys.maybe('logit_scale', { min: 0, max: 1e6 }) || undefined,
  layers: parallel({
    norm: 'layer',
    place: ({ backend, keys, config, tensors, options: { kvTokens } }) => {
      if (tensors.has('blk.0.attn_q_norm.weight'))
        keys.fail('block_count', `is ${config.layers}: Command R+ has LayerNorms over heads, which are not supported`);
      const rope = backend.ropeTable(readRope(keys, config, { style: 'adjacent', kvTokens }));
      return () => ({ rope });
    },
  }),
});

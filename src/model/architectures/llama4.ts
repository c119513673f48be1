import { defineArchitecture } from '../architecture.ts';
import { Chunks } from '../chunks.ts';
import { most } from '../config.ts';
import { expertFeedForward, hybrid, type LoadPart } from '../hybrid.ts';
import { addProduct, attend, loadAttention } from '../layers.ts';
import type { Loading } from '../loading.ts';
import { MoE } from '../moe.ts';
import { readRope } from '../rope.ts';
import { slidingLayers } from '../window.ts';

/** Tokens of a chunk of attention, and positions behind which queries are sharpened a little more each. */
const chunk = 8192;
/** Files do not say that the model with so many has no norms over heads; llama.cpp knows it by this too. */
const expertsWithoutNorms = 128;

/**
 * Llama 4, its text: attention in chunks; every fourth layer sees all, does not rotate, and sharpens its queries by position. In some
 * layers experts, one for a token, by sigmoid, beside a shared one.
 */
export const llama4 = defineArchitecture({
  name: 'llama4',
  layers: hybrid({ mixer: attention, norm: 'ffn_norm', feedForward }),
});

async function attention(loading: Loading): Promise<LoadPart> {
  const { backend, keys, config, tensors, options: limits } = loading;
  const { heads, headDim } = config;
  if (keys.maybe('attention.sliding_window') === 0)
    keys.fail('attention.sliding_window', 'is 0, which is not supported');
  const factors = await tensors.maybeFloats('rope_freqs.weight', headDim / 2);
  const spec = readRope(keys, config, { style: 'adjacent', kvTokens: limits.kvTokens, factors });
  const rotations = backend.ropeTable(spec);
  // Angles of 0: nothing but the temperature is left.
  const temperature = (position: number) => 1 + 0.1 * Math.log(Math.floor((position + 1) / chunk) + 1);
  const sharpening = backend.ropeTable({
    ...spec,
    frequencies: spec.frequencies.map(() => 0),
    magnitude: 1,
    temperature,
  });
  const ones = keys.size('expert_count', 1024) === expertsWithoutNorms ? undefined : unweighted(loading);
  const [slides, chunks] = [slidingLayers(keys, config, 4), new Chunks(chunk)];
  const options = { heads, scale: 1 / Math.sqrt(headDim) };
  return async (prefix, layer) => {
    const rotates = (layer + 1) % 4 !== 0;
    const norms = rotates && ones ? { qNorm: ones, kNorm: ones, rotatesFirst: true } : {};
    const weights = { ...(await loadAttention(loading, prefix)), ...norms };
    const [rope, queryRope] = rotates ? [rotations, rotations] : [undefined, sharpening];
    return (step, layer) => {
      const seen = slides[layer] ? chunks.of(step.batch) : step.batch;
      attend(step, layer, weights, rope, options, { queryRope, seen });
      addProduct(step, weights.output, step.work.mixed);
    };
  };
}

/** Norms over heads have no weights. */
const unweighted = ({ backend, config: { headDim } }: Loading) => backend.vector(new Float32Array(headDim).fill(1));

function feedForward(loading: Loading): LoadPart {
  const { keys, config } = loading;
  const width = keys.uniform('expert_feed_forward_length', config.layers, most.feedForward);
  const every = keys.size('interleave_moe_layer_step', most.layers);
  const scale = keys.maybe('expert_weights_scale', { min: 0, max: 1e6 }) || undefined;
  const moe = new MoE(loading, width, {
    router: { kind: 'chosen' },
    inputWeights: { kind: 'sigmoid', normalised: false, scale },
    shared: { width },
  });
  return expertFeedForward(loading, moe, layer => (layer + 1) % every !== 0);
}

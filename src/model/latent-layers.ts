import type { LoadLayers } from './architecture.ts';
import { most } from './config.ts';
import { denseFeedForward, expertFeedForward, hybrid, type LoadPart } from './hybrid.ts';
import { latentAttention } from './latent-attention.ts';
import type { Loading } from './loading.ts';
import { MoE } from './moe.ts';
import { readRouter } from './router.ts';

/** DeepSeek's layers: latent attention, experts of which some are shared, leading ones with one feed-forward network. */
export const latentLayers: LoadLayers = hybrid({ mixer: latentAttention, norm: 'ffn_norm', feedForward });

function feedForward(loading: Loading): LoadPart {
  const { keys, config } = loading;
  const leading = keys.maybe('leading_dense_block_count', { min: 0, max: config.layers, integer: true }) ?? 0;
  if (leading === config.layers) return denseFeedForward(loading);
  const width = keys.size('expert_feed_forward_length', most.feedForward);
  const shared = keys.maybe('expert_shared_count', { min: 0, max: 64, integer: true }) ?? 0;
  const moe = new MoE(loading, width, {
    router: readRouter(keys, isGlmFlash(loading) ? 'sigmoid' : 'softmax'),
    biased: (tensors, prefix) => tensors.has(`${prefix}.exp_probs_b.bias`),
    shared: shared ? { width: width * shared } : undefined,
  });
  return expertFeedForward(loading, moe, leading);
}

/** The first files of GLM-4.7-Flash do not say that its experts are chosen by sigmoid, as no file of DeepSeek V2 says softmax. */
const isGlmFlash = ({ config: { layers, vocabSize } }: Loading): boolean =>
  (layers === 47 || layers === 48) && vocabSize === 154_880;

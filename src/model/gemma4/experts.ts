import type { Buffer, Vector } from '../../backend/backend.ts';
import { most } from '../config.ts';
import type { Step } from '../decoder.ts';
import type { Loading } from '../loading.ts';
import { type ExpertWeights, MoE } from '../moe.ts';
import type { WorkBuffers } from './work-buffers.ts';

/** The weights of the experts beside a layer's feed-forward network. */
interface LayerExperts {
  /** Of what the network gives, of what the experts are given, and of what they give. */
  readonly networkNorm: Vector;
  readonly norm: Vector;
  readonly postNorm: Vector;
  /** Of what the router judges by; its scale, and a division by sqrt(width), are in it. */
  readonly routerNorm: Vector;
  readonly weights: ExpertWeights;
}

/** Experts beside the feed-forward network, with norms and work buffers of their own. */
export class Experts {
  readonly #moe: MoE;
  /** [tokens, width] */
  readonly #input: Buffer;
  readonly #judged: Buffer;
  readonly #sum: Buffer;
  /** [1, width] */
  readonly #zeros: Buffer;

  constructor(loading: Loading, buffers: WorkBuffers) {
    const { backend, keys, config } = loading;
    const inner = keys.uniform('expert_feed_forward_length', config.layers, most.feedForward);
    this.#moe = new MoE(loading, inner, { activation: 'gelu', ownFactors: true });
    this.#input = buffers.of("experts' input", config.width);
    this.#judged = buffers.of("router's input", config.width);
    this.#sum = buffers.of("experts' sum", config.width);
    this.#zeros = backend.buffer(1, config.width);
    backend.write(this.#zeros, 0, new Float32Array(config.width));
  }

  async load({ backend, tensors, config: { width } }: Loading, prefix: string): Promise<LayerExperts> {
    const norm = (name: string) => tensors.vector(`${prefix}.${name}.weight`, width);
    const scale = await tensors.floats(`${prefix}.ffn_gate_inp.scale`, width);
    return {
      networkNorm: await norm('post_ffw_norm_1'),
      norm: await norm('pre_ffw_norm_2'),
      postNorm: await norm('post_ffw_norm_2'),
      routerNorm: backend.vector(scale.map(value => value / Math.sqrt(width))),
      weights: await this.#moe.load(tensors, prefix),
    };
  }

  /** network = norm(network) + norm(experts(norm(hidden))), chosen by router(norm(hidden)) */
  add(step: Step, network: Buffer, layer: LayerExperts): void {
    const { backend, config, work, batch } = step;
    const [x, judged, out] = [this.#input, this.#judged, this.#sum];
    const { epsilon } = config;
    backend.rmsNorm(network, network, layer.networkNorm, epsilon, batch.tokens);
    backend.rmsNorm(x, work.hidden, layer.norm, epsilon, batch.tokens);
    backend.rmsNorm(judged, work.hidden, layer.routerNorm, epsilon, batch.tokens);
    backend.gather(out, this.#zeros, new Int32Array(batch.tokens));
    this.#moe.apply(step, layer.weights, { out, x, judged });
    backend.rmsNorm(out, out, layer.postNorm, epsilon, batch.tokens);
    backend.add(network, out, batch.tokens);
  }
}

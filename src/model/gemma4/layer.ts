import type { Buffer, RopeTable, Vector } from '../../backend/backend.ts';
import type { Block, Step } from '../decoder.ts';
import { type FeedForwardWeights, gated, loadFeedForward } from '../layers.ts';
import type { Loading } from '../loading.ts';
import { project } from '../project.ts';
import { type Attention, attend, loadAttention } from './attention.ts';
import { Experts } from './experts.ts';
import { PerLayerInputs } from './per-layer-inputs.ts';
import type { LayerSizes } from './sizes.ts';
import { WorkBuffers } from './work-buffers.ts';

/** A layer with norms before and after attention and the feed-forward network. */
interface Layer {
  readonly attentionNorm: Vector;
  readonly attention: Attention;
  readonly attentionPostNorm: Vector;
  readonly feedForwardNorm: Vector;
  readonly feedForward: FeedForwardWeights;
  /** [tokens, feedForward] */
  readonly inner: { readonly gate: Buffer; readonly up: Buffer };
  readonly feedForwardPostNorm: Vector;
  /** Factor on all that the layer leaves. */
  readonly scale: number | undefined;
}

/** Loads layers one after the other; what they share is here. */
export class LayerLoader {
  readonly #loading: Loading;
  readonly #buffers: WorkBuffers;
  readonly #inputs: PerLayerInputs | undefined;
  readonly #experts: Experts | undefined;

  private constructor(loading: Loading, buffers: WorkBuffers, inputs: PerLayerInputs | undefined) {
    this.#loading = loading;
    this.#buffers = buffers;
    this.#inputs = inputs;
    this.#experts = loading.keys.maybe('expert_count') ? new Experts(loading, buffers) : undefined;
  }

  static async create(loading: Loading): Promise<LayerLoader> {
    const buffers = new WorkBuffers(loading);
    return new LayerLoader(loading, buffers, await PerLayerInputs.load(loading, buffers));
  }

  /** The layer with this number, whose tensors begin with `prefix`. */
  async load(prefix: string, layer: number, size: LayerSizes, rope: RopeTable): Promise<Block> {
    const weights = await this.#layer(prefix, layer, size, rope);
    const inputs = this.#inputs;
    const input = await inputs?.loadLayer(this.#loading, prefix, layer);
    const experts = this.#loading.tensors.has(`${prefix}.ffn_gate_inp.weight`) ? this.#experts : undefined;
    const mixture = await experts?.load(this.#loading, prefix);
    return (step, layer) => {
      const { backend, work, batch } = step;
      if (layer === 0) inputs?.begin(step);
      addAttention(step, layer, weights);
      network(step, weights);
      if (mixture) experts?.add(step, work.normed, mixture);
      addNormed(step, weights.feedForwardPostNorm);
      if (input) inputs?.add(step, layer, input);
      if (weights.scale !== undefined) backend.scale(work.hidden, weights.scale, batch.tokens);
    };
  }

  async #layer(prefix: string, layer: number, size: LayerSizes, rope: RopeTable): Promise<Layer> {
    const { tensors, config } = this.#loading;
    const norm = (name: string) => tensors.vector(`${prefix}.${name}.weight`, config.width);
    const loading = { ...this.#loading, config: { ...config, feedForward: size.feedForward } };
    const inner = (use: string) => this.#buffers.of(use, size.feedForward);
    const attention = { size, rope, isOwn: size.source === layer, buffers: this.#buffers };
    return {
      attentionNorm: await norm('attn_norm'),
      attention: await loadAttention(loading, prefix, attention),
      attentionPostNorm: await norm('post_attention_norm'),
      feedForwardNorm: await norm('ffn_norm'),
      feedForward: await loadFeedForward(loading, prefix),
      inner: { gate: inner('gate'), up: inner('up') },
      feedForwardPostNorm: await norm('post_ffw_norm'),
      scale: (await tensors.maybeFloats(`${prefix}.layer_output_scale.weight`, 1))?.[0],
    };
  }
}

/** hidden += norm(attention(norm(hidden))) */
function addAttention(step: Step, layer: number, { attentionNorm, attention, attentionPostNorm }: Layer): void {
  const { backend, config, work, batch } = step;
  backend.rmsNorm(work.normed, work.hidden, attentionNorm, config.epsilon, batch.tokens);
  attend(step, layer, attention);
  project(step, [{ out: work.normed, ...attention.output }], attention.mixed);
  addNormed(step, attentionPostNorm);
}

/** normed = feedForward(norm(hidden)) */
function network(step: Step, { feedForwardNorm, feedForward, inner }: Layer): void {
  const { backend, config, work, batch } = step;
  backend.rmsNorm(work.normed, work.hidden, feedForwardNorm, config.epsilon, batch.tokens);
  gated(step, feedForward, 'gelu', step.work.normed, inner);
  project(step, [{ out: work.normed, ...feedForward.down }], inner.gate);
}

/** hidden += norm(normed) */
function addNormed({ backend, config, work, batch }: Step, norm: Vector): void {
  backend.rmsNorm(work.normed, work.normed, norm, config.epsilon, batch.tokens);
  backend.add(work.hidden, work.normed, batch.tokens);
}

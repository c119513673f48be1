import type { Buffer, Matrix, Vector } from '../../backend/backend.ts';
import { most } from '../config.ts';
import type { Step } from '../decoder.ts';
import type { Loading } from '../loading.ts';
import { project } from '../project.ts';
import type { Linear } from '../tensors.ts';
import type { WorkBuffers } from './work-buffers.ts';

/** The weights of one layer's part. */
interface LayerInput {
  /** From the model's width to a layer's input, of the tokens' embeddings and of what the layer made of them. */
  readonly model: Linear;
  readonly gate: Linear;
  readonly back: Linear;
  readonly postNorm: Vector;
}

/**
 * A second embedding of each token for every layer, which the layer's output gates and adds (gemma 3n and 4). Rows of the table
 * are cut into one for each layer, so that a layer looks up no more than its own.
 */
export class PerLayerInputs {
  readonly #columns: number;
  readonly #layers: number;
  /** [tokens of the vocabulary * layers, columns] */
  readonly #table: Matrix;
  /** Over {@link #columns}. */
  readonly #norm: Vector;
  /** The tokens' embeddings, [tokens, width]: the stream is something else by the time that a layer asks. */
  readonly #embeddings: Buffer;
  readonly #looked: Buffer;
  readonly #projected: Buffer;
  readonly #gated: Buffer;

  private constructor(columns: number, layers: number, table: Matrix, norm: Vector, width: number, work: WorkBuffers) {
    this.#columns = columns;
    this.#layers = layers;
    this.#table = table;
    this.#norm = norm;
    this.#embeddings = work.of('embeddings', width);
    this.#looked = work.of('looked up', columns);
    this.#projected = work.of('projected', columns);
    this.#gated = work.of('gated', columns);
  }

  /** Undefined where the file has none. */
  static async load({ keys, tensors, config }: Loading, work: WorkBuffers): Promise<PerLayerInputs | undefined> {
    const key = 'embedding_length_per_layer_input';
    const columns = keys.maybe(key, { min: 0, max: most.width, integer: true }) ?? 0;
    if (columns === 0) return undefined;
    const { layers, vocabSize, width } = config;
    const table = await tensors.pieces('per_layer_token_embd.weight', vocabSize, layers, columns);
    const norm = await tensors.vector('per_layer_proj_norm.weight', columns);
    return new PerLayerInputs(columns, layers, table, norm, width, work);
  }

  async loadLayer({ tensors, config: { width } }: Loading, prefix: string, layer: number): Promise<LayerInput> {
    const [columns, first] = [this.#columns, layer * this.#columns];
    return {
      model: await tensors.linear('per_layer_model_proj', this.#layers * columns, width, { first, count: columns }),
      gate: await tensors.linear(`${prefix}.inp_gate`, columns, width),
      back: await tensors.linear(`${prefix}.proj`, width, columns),
      postNorm: await tensors.vector(`${prefix}.post_norm.weight`, width),
    };
  }

  /** Keeps the embeddings, before any layer has added to them. */
  begin({ backend, work, batch }: Step): void {
    const rows = Int32Array.from({ length: batch.tokens }, (_, row) => row);
    backend.gather(this.#embeddings, work.hidden, rows);
  }

  /** hidden += norm(back(gelu(gate(hidden)) * input)) */
  add(step: Step, layer: number, weights: LayerInput): void {
    const { backend, config, work, batch } = step;
    const [gated, input] = [this.#gated, this.#projected];
    this.#input(step, layer, weights);
    project(step, [{ out: gated, ...weights.gate }], work.hidden);
    backend.gate(gated, gated, input, 'gelu', batch.tokens);
    project(step, [{ out: work.normed, ...weights.back }], gated);
    backend.rmsNorm(work.normed, work.normed, weights.postNorm, config.epsilon, batch.tokens);
    backend.add(work.hidden, work.normed, batch.tokens);
  }

  /** (norm(model(embedding) / sqrt(width)) + the layer's own embedding * sqrt(columns)) / sqrt(2), into `#projected`. */
  #input(step: Step, layer: number, { model }: LayerInput): void {
    const { backend, config, batch } = step;
    const [input, looked] = [this.#projected, this.#looked];
    const rows = batch.tokens;
    project(step, [{ out: input, ...model }], this.#embeddings);
    backend.scale(input, 1 / Math.sqrt(config.width), rows);
    backend.rmsNorm(input, input, this.#norm, config.epsilon, rows);
    const own = batch.ids.map(id => id * this.#layers + layer);
    backend.embed(looked, this.#table, own);
    backend.scale(looked, Math.sqrt(this.#columns), rows);
    backend.add(input, looked, rows);
    backend.scale(input, Math.SQRT1_2, rows);
  }
}

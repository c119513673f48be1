import type { Activation, Buffer, Matrix, MatrixSource } from '../backend/backend.ts';
import type { Step } from './decoder.ts';
import { addProduct, type FeedForwardWeights, type UngatedWeights } from './layers.ts';
import type { Loading } from './loading.ts';
import { once } from './once.ts';
import { project } from './project.ts';

export interface SharedExpertWeights extends UngatedWeights {
  readonly gate?: FeedForwardWeights['gate'] | undefined;
  /** [1, width]: what says how much of the network a token takes, if not all. */
  readonly share?: Matrix | undefined;
}

export interface SharedExpertOptions {
  /** Of its network. */
  readonly width: number;
  /** Whether each token takes a share of it: the sigmoid of a product. */
  readonly gated?: boolean;
  /** It has no gate: what it goes through instead. */
  readonly ungated?: Activation;
  /** Factor on what it gives, where it is not gated. */
  readonly scale?: number | undefined;
}

/** The feed-forward network that every token goes through, beside the experts that it chooses. arXiv:2401.06066 */
export class SharedExpert {
  readonly #options: SharedExpertOptions;
  /** [tokens, width of the network] */
  readonly #work: () => { readonly gate: Buffer; readonly up: Buffer };
  readonly #shares: Shares | undefined;

  constructor(loading: Loading, options: SharedExpertOptions) {
    const { backend, options: limits } = loading;
    this.#options = options;
    this.#work = once(() => {
      const gate = backend.buffer(limits.maxBatchTokens, options.width);
      return { gate, up: options.ungated ? gate : backend.buffer(limits.maxBatchTokens, options.width) };
    });
    this.#shares = options.gated ? new Shares(loading) : undefined;
  }

  async load({ tensors, config }: Loading, prefix: string): Promise<SharedExpertWeights> {
    const { width: inner, ungated } = this.#options;
    await this.#shares?.load();
    const weights = {
      gate: ungated ? undefined : await tensors.linear(`${prefix}.ffn_gate_shexp`, inner, config.width),
      up: await tensors.linear(`${prefix}.ffn_up_shexp`, inner, config.width),
      down: await tensors.linear(`${prefix}.ffn_down_shexp`, config.width, inner),
      share: this.#shares && (await tensors.matrix(`${prefix}.ffn_gate_inp_shexp.weight`, 1, config.width)),
    };
    this.#work();
    return weights;
  }

  /** hidden += what the network makes of `work.normed`, which may be lost. */
  apply(step: Step, { down, share, ...weights }: SharedExpertWeights): void {
    const { backend, work, batch } = step;
    const { ungated, scale } = this.#options;
    const { gate, up } = this.#work();
    const products = [...(weights.gate ? [{ out: gate, ...weights.gate }] : []), { out: up, ...weights.up }];
    project(step, products, work.normed);
    if (ungated) backend.activate(gate, ungated, batch.tokens);
    else backend.gate(gate, gate, up, 'silu', batch.tokens);
    if (!share || !this.#shares) return addProduct(step, down, gate, scale);
    const shares = this.#shares.of(step, share);
    project(step, [{ out: work.normed, ...down }], gate);
    backend.gate(shares, shares, work.normed, 'sigmoid', batch.tokens);
    backend.add(work.hidden, shares, batch.tokens);
  }
}

/** A number for each token, beside all of its columns: a matrix of ones spreads it. */
class Shares {
  readonly #loading: Loading;
  /** [tokens, 1], [tokens, width] */
  readonly #number: Buffer;
  readonly #spread: Buffer;
  #ones: Matrix | undefined;

  constructor(loading: Loading) {
    const { backend, config, options } = loading;
    this.#loading = loading;
    this.#number = backend.buffer(options.maxBatchTokens, 1);
    this.#spread = backend.buffer(options.maxBatchTokens, config.width);
  }

  async load(): Promise<void> {
    const { backend, config } = this.#loading;
    this.#ones ??= await backend.matrix(ones(config.width));
  }

  of({ backend, work, batch }: Step, share: Matrix): Buffer {
    backend.matmul(this.#number, share, work.normed, batch.tokens);
    backend.matmul(this.#spread, this.#ones!, this.#number, batch.tokens);
    return this.#spread;
  }
}

const ones = (rows: number): MatrixSource => ({
  ...{ name: 'ones', type: 'F32', rows, columns: 1 },
  async readRows(_, count, target) {
    target.set(new Uint8Array(new Float32Array(count).fill(1).buffer));
  },
});

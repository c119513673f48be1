import type { Activation, Buffer, Gate, Matrix, RouterOptions, Routing, Vector } from '../backend/backend.ts';
import { most } from './config.ts';
import type { Step } from './decoder.ts';
import { ExpertAdapters } from './expert-adapters.ts';
import { ExpertScales } from './expert-scales.ts';
import type { Loading } from './loading.ts';
import { once } from './once.ts';
import { project } from './project.ts';
import type { Router } from './router.ts';
import { SharedExpert, type SharedExpertOptions, type SharedExpertWeights } from './shared-expert.ts';
import type { Linear, RowRange, Tensors } from './tensors.ts';
import { WeighedInput } from './weighed-input.ts';

/** The matrices of all experts one below the other, and so their biases. */
interface Experts {
  readonly matrix: Matrix;
  readonly bias?: Vector | undefined;
  /** Factors on its products and biases, which were divided by them. */
  readonly scales?: Matrix | undefined;
}

/** The weights of a mixture of experts. */
export interface ExpertWeights {
  /** [experts, width] */
  readonly router: Linear;
  /** How experts are chosen by what the router gives. */
  readonly choice: RouterOptions;
  /** [experts * feedForward, width] */
  readonly gate?: Experts | undefined;
  readonly up: Experts;
  /** [experts * width, feedForward] */
  readonly down: Experts;
  readonly shared: SharedExpertWeights | undefined;
  readonly moe: MoE;
}

export interface MoEOptions {
  /** Default: the softmax of scores, divided by the sum of the chosen. */
  readonly router?: Router;
  /** Whether a layer brings a bias for choosing. */
  readonly biased?: (tensors: Tensors, prefix: string) => boolean;
  /** Of what experts take and give. Default: the stream's. */
  readonly width?: number | undefined;
  /** What an expert's gate goes through. Default SiLU. */
  readonly activation?: Gate;
  /** Experts have no gate: what they go through instead. */
  readonly ungated?: Activation;
  /** Whether experts and their router have biases. */
  readonly biases?: boolean;
  /** What weighs that which a token's one expert takes, beside the weight of what it gives (Llama 4). */
  readonly inputWeights?: Router;
  readonly shared?: SharedExpertOptions | undefined;
  /** Factors on what experts give are the model's own (Gemma 4) and hold for what adapters add. Else they are the format's. */
  readonly ownFactors?: boolean;
}

const mostExperts = 1024;

interface ExpertWork {
  readonly routing: Routing;
  /** [tokens, experts] */
  readonly scores: Buffer;
  /** A row for each token and expert that it takes. */
  readonly gate: Buffer;
  readonly up: Buffer;
  readonly down: Buffer;
  readonly weighed?: WeighedInput | undefined;
}

/** The feed-forward networks of which each token takes a few. arXiv:2401.04088 */
export class MoE {
  readonly #loading: Loading;
  readonly #experts: number;
  readonly #width: number;
  readonly #feedForward: number;
  readonly #options: MoEOptions;
  readonly #shared: SharedExpert | undefined;
  readonly #scales: ExpertScales;
  readonly #adapters: ExpertAdapters;
  readonly #work: () => ExpertWork;

  /** @param feedForward width of an expert's network */
  constructor(loading: Loading, feedForward: number, options: MoEOptions = {}) {
    const { backend, keys, config, options: limits } = loading;
    const experts = keys.size('expert_count', mostExperts);
    const topK = keys.size('expert_used_count', experts);
    const slots = limits.maxBatchTokens * topK;
    this.#loading = loading;
    this.#experts = experts;
    this.#width = options.width ?? config.width;
    this.#feedForward = feedForward;
    this.#options = options;
    this.#shared = options.shared && new SharedExpert(loading, options.shared);
    this.#scales = new ExpertScales(loading, experts, feedForward, slots);
    this.#adapters = new ExpertAdapters(loading, { topK, width: this.#width, inner: feedForward });
    this.#work = once(() => {
      const gate = backend.buffer(slots, feedForward);
      return {
        routing: backend.routing(limits.maxBatchTokens, experts, topK),
        scores: backend.buffer(limits.maxBatchTokens, experts),
        gate,
        up: options.ungated ? gate : backend.buffer(slots, feedForward),
        down: backend.buffer(slots, this.#width),
        weighed: options.inputWeights && new WeighedInput(loading, options.inputWeights),
      };
    });
  }

  async load(tensors: Tensors, prefix: string): Promise<ExpertWeights> {
    const [experts, width, inner] = [this.#experts, this.#width, this.#feedForward];
    const router = `${prefix}.ffn_gate_inp`;
    const matrix = await tensors.matrix(`${router}.weight`, experts, this.#loading.config.width);
    tensors.linears.push({ matrix });
    const weights = {
      router: { matrix, bias: this.#options.biases ? await tensors.vector(`${router}.bias`, experts) : undefined },
      choice: await this.#choice(tensors, prefix),
      gate: this.#options.ungated ? undefined : await this.#half(tensors, prefix, 'gate'),
      up: await this.#half(tensors, prefix, 'up'),
      down: await this.#load(tensors, `${prefix}.ffn_down_exps`, width, inner),
      shared: await this.#shared?.load(this.#loading, prefix),
      moe: this,
    };
    this.#work();
    return weights;
  }

  async #choice(tensors: Tensors, prefix: string): Promise<RouterOptions> {
    const { router = {}, biased } = this.#options;
    const [bias, scales] = [`${prefix}.exp_probs_b.bias`, `${prefix}.ffn_down_exps.scale`];
    return {
      ...router,
      ...(biased?.(tensors, prefix) && { bias: await tensors.vector(bias, this.#experts) }),
      // What each expert gives is multiplied with it: its weight is.
      ...(tensors.has(scales) && { scales: await tensors.vector(scales, this.#experts) }),
    };
  }

  /** Some files have the rows of each expert's gate and up in one matrix, in this order. */
  async #half(tensors: Tensors, prefix: string, half: 'gate' | 'up'): Promise<Experts> {
    const [width, inner] = [this.#width, this.#feedForward];
    const fused = `${prefix}.ffn_gate_up_exps`;
    const isFused = tensors.has(`${fused}.weight`);
    const name = isFused ? fused : `${prefix}.ffn_${half}_exps`;
    const range = { first: half === 'gate' ? 0 : inner, count: inner };
    const experts = await this.#load(tensors, name, isFused ? 2 * inner : inner, width, isFused ? range : undefined);
    return { ...experts, scales: await this.#scales.load(name) };
  }

  async #load(tensors: Tensors, name: string, rows: number, columns: number, range?: RowRange): Promise<Experts> {
    const shape = { experts: this.#experts, rows, range };
    const scaled = !this.#options.ownFactors && name.endsWith('down_exps') && tensors.has(`${name}.scale`);
    // The router's weights have these factors, which adapters would be multiplied with: none may change such experts.
    const reserve = scaled ? undefined : (rank: number) => this.#adapters.reserve(rank);
    const matrix = await tensors.experts(`${name}.weight`, shape, columns, reserve);
    return { matrix, bias: this.#options.biases ? await tensors.expertBiases(name, shape) : undefined };
  }

  /**
   * out += what the chosen experts make of `x`, weighted; chosen by what the router makes of `judged`. Where `out` is `x` it is in
   * its place. A shared one adds to hidden.
   */
  apply(
    step: Step,
    { router, choice, down, shared, ...weights }: ExpertWeights,
    { out = step.work.hidden, x = step.work.normed, judged = x }: { out?: Buffer; x?: Buffer; judged?: Buffer } = {},
  ): void {
    const { backend, batch } = step;
    const rows = batch.tokens;
    const { routing, scores, gate, down: given, weighed } = this.#work();
    project(step, [{ out: scores, ...router }], judged);
    backend.route(routing, scores, rows, choice);
    this.#activated(step, weights, weighed?.of(step, x, scores) ?? x, rows);
    if (out === x) backend.scale(out, 0, rows);
    backend.expertMatmuls([{ out: given, ...down }], gate, 'slots', routing, rows);
    backend.combine(out, given, routing, rows);
    this.#adapters.addToTokens(step, out, down.matrix, gate, routing);
    if (shared) this.#shared?.apply(step, shared);
  }

  /** What goes into the experts' last matrices, into the work's `gate`. */
  #activated(step: Step, weights: Pick<ExpertWeights, 'gate' | 'up'>, x: Buffer, rows: number): void {
    const { backend } = step;
    const { activation = 'silu', ungated } = this.#options;
    const { routing, gate, up } = this.#work();
    const slots = rows * routing.topK;
    const products = [...(weights.gate ? [{ out: gate, ...weights.gate }] : []), { out: up, ...weights.up }];
    backend.expertMatmuls(products, x, 'tokens', routing, rows);
    for (const { out, scales } of products) if (scales) this.#scales.apply(backend, out, scales, routing, rows);
    this.#adapters.addToSlots(step, products, x, routing);
    if (ungated) backend.activate(gate, ungated, slots);
    else backend.gate(gate, gate, up, activation, slots);
  }
}

/** Experts of a width of their own. */
export const readNarrowExperts = (loading: Loading): MoE =>
  new MoE(loading, loading.keys.size('expert_feed_forward_length', most.feedForward));

/** Experts as wide as a layer's feed-forward network, where a file says that it has any. */
export const readExperts = (loading: Loading): MoE | undefined =>
  loading.keys.maybe('expert_count') ? new MoE(loading, loading.config.feedForward) : undefined;

import type { QuantType } from '../../src/quant/types.ts';
import type { GgufModel, MetaValue, TensorPlan } from './gguf-writer.ts';
import { randomTensor } from './weights.ts';

/** The tensors that an adapter may be made for, as a model's plan or a file has them. */
type Base = Iterable<{ readonly name: string; readonly shape: readonly number[] }>;

export interface AdapterOptions {
  /** general.architecture; default `llama`. */
  readonly architecture?: string;
  /** Default 8. */
  readonly rank?: number;
  /** Default the rank: a scale of 1. */
  readonly alpha?: number;
  /** Default F32, as the converter's. */
  readonly type?: QuantType;
  /** Which tensors it changes; default all matrices but the token embeddings. */
  readonly tensors?: RegExp;
  /** How large its changes are beside the weights; default 0.5. */
  readonly strength?: number;
  readonly seed?: number;
  readonly metadata?: Readonly<Record<string, MetaValue>>;
}

const matrices = /^(?!token_embd).*\.weight$/;

/** A LoRA adapter of random weights, in the form of llama.cpp's convert_lora_to_gguf.py. */
export function syntheticAdapter(base: Base, options: AdapterOptions = {}): GgufModel {
  const { architecture = 'llama', rank = 8, alpha = rank, tensors = matrices, metadata = {} } = options;
  const text = (value: string): MetaValue => ({ type: 'string', value });
  const changed = [...base].filter(({ name, shape }) => shape.length >= 2 && tensors.test(name));
  return {
    metadata: new Map([
      ['general.architecture', text(architecture)],
      ['general.type', text('adapter')],
      ['adapter.type', text('lora')],
      ['adapter.lora.alpha', { type: 'f32', value: alpha }],
      ...Object.entries(metadata),
    ]),
    tensors: changed.flatMap(({ name, shape }) => factors(name, shape, rank, options)),
  };
}

/** Of token embeddings the first factor is stored the other way round: a row for each token. */
function factors(
  name: string,
  [columns = 0, rows = 0, ...experts]: readonly number[],
  rank: number,
  options: AdapterOptions,
): TensorPlan[] {
  const { type = 'F32', strength = 0.5, seed = 1 } = options;
  const embeddings = name === 'token_embd.weight';
  const a = embeddings ? [rank, rows] : [columns, rank, ...experts];
  const b = embeddings ? [rank, columns] : [rank, rows, ...experts];
  const deviations = { a: embeddings ? 1 : 1 / Math.sqrt(columns), b: strength / Math.sqrt(rank) };
  return [
    randomTensor(`${name}.lora_a`, a, type, { deviation: deviations.a }, seed),
    randomTensor(`${name}.lora_b`, b, type, { deviation: deviations.b }, seed),
  ];
}

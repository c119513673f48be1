import {
  type ArchitectureName,
  architectureMetadata,
  embeddingDeviation,
  isTied,
  parts,
  recipes,
} from './architectures.ts';
import { encodeGguf, type GgufModel, type MetaValue, writeGguf } from './gguf-writer.ts';
import { fileTypes, type Mix, typeOf } from './mixes.ts';
import type { Part } from './recipe.ts';
import { type Shape, type ShapeName, shapes } from './shapes.ts';
import { tokenizerMetadata } from './tokenizer.ts';
import { randomTensor, type Values } from './weights.ts';

export interface SyntheticOptions {
  /** Default `tiny`. */
  readonly shape?: ShapeName;
  /** Dimensions that differ from the shape's. */
  readonly with?: Partial<Shape>;
  /** Default `llama`. */
  readonly architecture?: ArchitectureName;
  /** Default `Q4_0`. */
  readonly quant?: Mix;
  /** Default 1. The same options give the same bytes. */
  readonly seed?: number;
  /** More metadata, or other values for it. */
  readonly metadata?: Readonly<Record<string, MetaValue>>;
}

const tokenTypes = ['tokenizer.ggml.token_type_count', { type: 'u32', value: 2 }] as const;

/** A model of random weights, such that its activations stay near 1 and its logits have a standard deviation near 3. */
export function syntheticModel(options: SyntheticOptions = {}): GgufModel {
  const { architecture = 'llama', quant = 'Q4_0', seed = 1, shape: name = 'tiny' } = options;
  const base: Shape = { ...shapes[name], ...options.with };
  const shape: Shape = {
    ...base,
    tied: isTied(architecture, base),
    experts: 'experts' in recipes[architecture] ? (base.experts ?? 8) : 0,
  };
  const tensors = parts(architecture, shape).map(part => {
    const plain = part.kind !== 'matrix' && part.kind !== 'embedding' && part.kind !== 'output';
    const type = plain ? 'F32' : typeOf(quant, part.name, part.shape[0] ?? 0, shape);
    return randomTensor(part.name, part.shape, type, valuesOf(part, embeddingDeviation(architecture, shape)), seed);
  });
  const metadata = new Map<string, MetaValue>([
    ['general.architecture', { type: 'string', value: recipes[architecture].name }],
    ['general.name', { type: 'string', value: `synthetic ${name}` }],
    ['general.file_type', { type: 'u32', value: fileTypes[quant] ?? 0 }],
    ['general.quantization_version', { type: 'u32', value: 2 }],
    ...architectureMetadata(architecture, shape),
    ...tokenizerMetadata(shape.vocab),
    ...('encoder' in recipes[architecture] ? [tokenTypes] : []),
    ...Object.entries(options.metadata ?? {}),
  ]);
  return { metadata, tensors };
}

/** Standard deviations: 1 / sqrt(inputs) keeps a matrix's output as large as its input. */
function valuesOf({ kind, shape: [inputs = 1] }: Part, embedding: number): Values {
  const unit = 1 / Math.sqrt(inputs);
  switch (kind) {
    case 'norm':
      return { deviation: 0.1, mean: 1 };
    case 'decay':
      return { deviation: 0.1, mean: -0.5 };
    case 'scaling norm':
      return { deviation: 0.1 * unit, mean: unit };
    case 'divisors':
      return { deviation: 0.5, mean: 2 };
    case 'bias':
      return { deviation: 0.1 };
    // As large as scores are.
    case 'sinks':
      return { deviation: 1, mean: 1 };
    case 'table':
      return { deviation: 0.5 };
    case 'embedding':
      return { deviation: embedding };
    case 'output':
      return { deviation: 3 * unit };
    case 'matrix':
    case 'router':
    case 'kernel':
      return { deviation: unit };
  }
}

/** Writes a synthetic model to `path`; returns its length in bytes. */
export function writeSynthetic(path: string, options: SyntheticOptions = {}): number {
  return writeGguf(path, syntheticModel(options));
}

/** The bytes of a synthetic model; for small ones. */
export function syntheticBytes(options: SyntheticOptions = {}): Uint8Array<ArrayBuffer> {
  return encodeGguf(syntheticModel(options));
}

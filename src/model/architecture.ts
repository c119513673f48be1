import type { Backend, Feature } from '../backend/backend.ts';
import { lacking } from '../backend/lacking.ts';
import type { GgufFile } from '../gguf/types.ts';
import { type CacheLayers, cacheLayers } from './cache-layers.ts';
import { type ModelConfig, readModelConfig } from './config.ts';
import { type Block, createDecoder, type Step } from './decoder.ts';
import { createEncoder } from './encoder.ts';
import { type Keys, keysOf } from './keys.ts';
import { loadEnds } from './layers.ts';
import type { Loading } from './loading.ts';
import type { NormKind } from './norm.ts';
import { Tensors } from './tensors.ts';
import type { Architecture, Head } from './types.ts';

/** Loads every layer's weights, and says what each layer does with them. */
export type LoadLayers = (loading: Loading) => Promise<readonly Block[]>;

type LoadHead = (loading: Loading) => Promise<Head | undefined>;

/** What distinguishes an architecture from the others. */
interface Declaration {
  /** In GGUF's `general.architecture`; the file in `architectures/` has the same. */
  readonly name: string;
  readonly layers: LoadLayers;
  /** What not every backend can do. */
  readonly needs?: readonly Feature[];
  /** Layers differ in their heads and widths: the config has the largest, and each layer reads its own by {@link Keys.each}. */
  readonly mixedLayers?: boolean;
  /** Attention is latent: see {@link readModelConfig}. */
  readonly latent?: boolean;
  /** See {@link readModelConfig}. */
  readonly epsilon?: readonly [string, ...string[]];
  /** What each layer keeps of a sequence. Default: keys and values, the same in all of them. */
  readonly cache?: CacheLayers;
  /** The norm before the output matrix, where it has another name than usual. */
  readonly outputNorm?: string;
  /** Its kind. Default RMSNorm. */
  readonly norm?: NormKind;
  /** Factor on the embeddings. */
  readonly embeddingScale?: (config: ModelConfig, keys: Keys) => number | undefined;
  /** Factor on the logits. */
  readonly logitScale?: (keys: Keys) => number | undefined;
  /** The cap on logits, if the file has one: see {@link DecoderSpec.logitCap}. */
  readonly logitCap?: (keys: Keys) => number | undefined;
  /** What follows the pooling of embeddings: of models that rank. */
  readonly head?: LoadHead;
}

/** An architecture: the sizes, the weights at both ends and the layers, loaded in this order. */
export function defineArchitecture(declaration: Declaration): Architecture {
  const {
    name,
    needs = [],
    mixedLayers,
    latent,
    epsilon,
    cache = cacheLayers,
    layers,
    outputNorm,
    norm,
    embeddingScale,
    logitScale,
    logitCap,
  } = declaration;
  const describe = (file: GgufFile) => {
    const config = readModelConfig(file, { mixedLayers, latent, epsilon });
    return { config, cache: cache(config, keysOf(file)) };
  };
  return {
    name,
    needs,
    describe,
    async load(file, backend, options) {
      checkNeeds(needs, backend);
      const [{ config, cache }, keys] = [describe(file), keysOf(file)];
      const tensors = new Tensors(file, backend, options.onProgress);
      const loading = { backend, options, keys, config, tensors };
      const ends = await loadEnds(loading, { outputNorm, norm });
      const blocks = await layers(loading);
      const head = await declaration.head?.(loading);
      const scales = { embeddingScale: embeddingScale?.(config, keys), logitScale: logitScale?.(keys) };
      const extras = { ...scales, logitCap: logitCap?.(keys), head };
      return createDecoder(backend, options, { config, ...ends, blocks, cache, ...extras });
    },
  };
}

interface EncoderDeclaration
  extends Pick<Declaration, 'name' | 'layers' | 'needs' | 'embeddingScale' | 'head' | 'epsilon'> {
  /** What becomes of the tokens' embeddings before the first layer. */
  readonly entrance?: (loading: Loading) => Promise<(step: Step) => void>;
  /** A norm behind the last layer. */
  readonly outputNorm?: boolean;
}

/** An encoder: tokens see their whole text, and nothing is kept of it. */
export function defineEncoder(declaration: EncoderDeclaration): Architecture {
  const { name, layers, embeddingScale, epsilon, entrance, outputNorm } = declaration;
  const needs = ['two-way', ...(declaration.needs ?? [])] as const;
  const describe = (file: GgufFile) => {
    const config = readModelConfig(file, { epsilon });
    const { kvHeads, headDim } = config;
    return { config, cache: [{ kvHeads, headDim }] as const, encoder: true };
  };
  return {
    name,
    needs,
    describe,
    async load(file, backend, options) {
      checkNeeds(needs, backend);
      const [{ config, cache }, keys] = [describe(file), keysOf(file)];
      const tensors = new Tensors(file, backend, options.onProgress);
      const loading = { backend, options, keys, config, tensors };
      return createEncoder(backend, options, {
        ...{ config, cache, linears: tensors.linears },
        embeddings: await tensors.matrix('token_embd.weight', config.vocabSize, config.width),
        embeddingScale: embeddingScale?.(config, keys),
        enter: await entrance?.(loading),
        blocks: await layers(loading),
        outputNorm: outputNorm ? await tensors.vector('output_norm.weight', config.width) : undefined,
        head: await declaration.head?.(loading),
      });
    },
  };
}

function checkNeeds(needs: readonly Feature[], backend: Backend): void {
  const missing = needs.find(feature => !backend.traits.features.has(feature));
  if (missing) throw lacking(missing);
}

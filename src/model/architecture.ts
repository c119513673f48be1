import type { Feature } from '../backend/backend.ts';
import { lacking } from '../backend/lacking.ts';
import type { GgufFile } from '../gguf/types.ts';
import { type CacheLayers, cacheLayers } from './cache-layers.ts';
import { type ModelConfig, readModelConfig } from './config.ts';
import { type Block, createDecoder } from './decoder.ts';
import { type Keys, keysOf } from './keys.ts';
import { loadEnds } from './layers.ts';
import type { Loading } from './loading.ts';
import { Tensors } from './tensors.ts';
import type { Architecture } from './types.ts';

/** Loads every layer's weights, and says what each layer does with them. */
export type LoadLayers = (loading: Loading) => Promise<readonly Block[]>;

/** What distinguishes an architecture from the others. */
interface Declaration {
  /** In GGUF's `general.architecture`; the file in `architectures/` has the same. */
  readonly name: string;
  readonly layers: LoadLayers;
  /** What not every backend can do. */
  readonly needs?: readonly Feature[];
  /** Layers differ in their heads and widths: the config has the largest, and each layer reads its own by {@link Keys.each}. */
  readonly mixedLayers?: boolean;
  /** What each layer keeps of a sequence. Default: keys and values, the same in all of them. */
  readonly cache?: CacheLayers;
  /** The norm before the output matrix, where it has another name than usual. */
  readonly outputNorm?: string;
  /** Factor on the embeddings. */
  readonly embeddingScale?: (config: ModelConfig, keys: Keys) => number | undefined;
  /** Factor on the logits. */
  readonly logitScale?: (keys: Keys) => number | undefined;
  /** The cap on logits, if the file has one: see {@link DecoderSpec.logitCap}. */
  readonly logitCap?: (keys: Keys) => number | undefined;
}

/** An architecture: the sizes, the weights at both ends and the layers, loaded in this order. */
export function defineArchitecture(declaration: Declaration): Architecture {
  const {
    name,
    needs = [],
    mixedLayers,
    cache = cacheLayers,
    layers,
    outputNorm,
    embeddingScale,
    logitScale,
    logitCap,
  } = declaration;
  const describe = (file: GgufFile) => {
    const config = readModelConfig(file, { mixedLayers });
    return { config, cache: cache(config, keysOf(file)) };
  };
  return {
    name,
    describe,
    async load(file, backend, options) {
      const missing = needs.find(feature => !backend.traits.features.has(feature));
      if (missing) throw lacking(missing);
      const [{ config, cache }, keys] = [describe(file), keysOf(file)];
      const tensors = new Tensors(file, backend, options.onProgress);
      const ends = await loadEnds(tensors, config, outputNorm);
      const blocks = await layers({ backend, options, keys, config, tensors });
      const scales = { embeddingScale: embeddingScale?.(config, keys), logitScale: logitScale?.(keys) };
      return createDecoder(backend, options, { config, ...ends, blocks, cache, ...scales, logitCap: logitCap?.(keys) });
    },
  };
}

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
  /** Factor on the embeddings. */
  readonly embeddingScale?: (config: ModelConfig) => number;
  /** The cap on logits, if the file has one: see {@link DecoderSpec.logitCap}. */
  readonly logitCap?: (keys: Keys) => number | undefined;
}

/** An architecture: the sizes, the weights at both ends and the layers, loaded in this order. */
export function defineArchitecture({ name, layers, embeddingScale, logitCap }: Declaration): Architecture {
  return {
    name,
    async load(file, backend, options) {
      const [config, keys] = [readModelConfig(file), keysOf(file)];
      const tensors = new Tensors(file, backend, options.onProgress);
      const ends = await loadEnds(tensors, config);
      const blocks = await layers({ backend, options, keys, config, tensors });
      const extras = { embeddingScale: embeddingScale?.(config), logitCap: logitCap?.(keys) };
      return createDecoder(backend, options, { config, ...ends, blocks, ...extras });
    },
  };
}

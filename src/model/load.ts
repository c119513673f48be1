import type { Backend, Feature } from '../backend/backend.ts';
import { RealmError } from '../errors.ts';
import { escapeText } from '../gguf/escape.ts';
import type { GgufFile } from '../gguf/types.ts';
import { architectures } from './architectures/table.ts';
import { keysOf } from './keys.ts';
import { bytesOf } from './tensors.ts';
import type { Architecture, Description, Model, ModelOptions } from './types.ts';

/**
 * Loads a model's weights onto a backend, which the model then owns. The file may be closed afterwards.
 * Throws `architecture_unknown`, `model_invalid`, `kernel_unavailable`, `out_of_memory`; the backend is closed then.
 */
export async function loadModel(file: GgufFile, backend: Backend, options: ModelOptions): Promise<Model> {
  try {
    const model = await architectureOf(file).load(file, backend, options);
    await backend.loaded();
    // Blocks that guess ahead stay in the file.
    options.onProgress?.(bytesOf(file), bytesOf(file));
    return model;
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** What a file says of its model, by its own architecture. Throws `architecture_unknown`, `model_invalid`. */
export const describeModel = (file: GgufFile): Description => architectureOf(file).describe(file);

/** What not every backend can do and a file's model needs. Throws `architecture_unknown`. */
export const needsOf = (file: GgufFile): readonly Feature[] => architectureOf(file).needs;

function architectureOf(file: GgufFile): Architecture {
  const { architecture, meta } = keysOf(file);
  const found = architectures.find(({ name }) => name === architecture);
  if (found) return found;
  const known = architectures.map(({ name }) => name).join(', ');
  const which = `${escapeText(meta.name)}: architecture "${escapeText(architecture)}" is not supported`;
  throw new RealmError('architecture_unknown', `${which}; use a model of one of ${known}`);
}

import type { Backend } from '../backend/backend.ts';
import { RealmError } from '../errors.ts';
import { escapeText } from '../gguf/escape.ts';
import type { GgufFile } from '../gguf/types.ts';
import { gemma2 } from './gemma2.ts';
import { gemma3 } from './gemma3.ts';
import { keysOf } from './keys.ts';
import { llama } from './llama.ts';
import { phi3 } from './phi3.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';
import { qwen3moe } from './qwen3moe.ts';
import type { Architecture, Model, ModelOptions } from './types.ts';

/** Every architecture Realm runs. Adding one is adding a file and a name here. */
export const architectures: readonly Architecture[] = [llama, qwen2, qwen3, qwen3moe, phi3, gemma2, gemma3];

/**
 * Loads a model's weights onto a backend, which the model then owns. The file may be closed afterwards.
 * Throws `architecture_unknown`, `model_invalid`, `kernel_unavailable`, `out_of_memory`; the backend is closed then.
 */
export async function loadModel(file: GgufFile, backend: Backend, options: ModelOptions): Promise<Model> {
  try {
    const model = await architectureOf(file).load(file, backend, options);
    await backend.loaded();
    return model;
  } catch (error) {
    await backend.close();
    throw error;
  }
}

function architectureOf(file: GgufFile): Architecture {
  const { architecture, meta } = keysOf(file);
  const found = architectures.find(({ name }) => name === architecture);
  if (found) return found;
  const known = architectures.map(({ name }) => name).join(', ');
  const which = `${escapeText(meta.name)}: architecture "${escapeText(architecture)}" is not supported`;
  throw new RealmError('architecture_unknown', `${which}; use a model of one of ${known}`);
}

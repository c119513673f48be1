import { asRealmError } from '../errors.ts';
import type { FileSource } from '../gguf/types.ts';
import { loadModel as load } from '../llm/load.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import { throwIfCancelled } from './generation.ts';
import { Model } from './model.ts';
import { requireNode } from './node-version.ts';
import type { LoadOptions } from './options.ts';
import { Sessions } from './sessions.ts';

/**
 * Loads a model into threads of its own.
 *
 * @param source A catalog name (`smollm2-135m`) or a hub's model (`hf:OWNER/REPO:QUANT`), both fetched and verified where they are
 * not there; one of Ollama's on this machine (`ollama:NAME`); the path or the http(s) URL of a GGUF file, a Blob that holds one, or
 * its bytes, which are copied unless they are shared.
 * @throws RealmError `model_not_found`, `model_file_missing`, `model_gated`, `quantization_not_found`, `download_failed`,
 * `checksum_mismatch`, what is wrong with the file (`gguf_invalid`, `architecture_unknown`, …), `out_of_memory`,
 * `request_cancelled`.
 */
export async function loadModel(source: FileSource, options: LoadOptions = {}): Promise<Model> {
  const { draft, chatTemplate, sessions, onProgress, ...rest } = options;
  requireNode();
  throwIfCancelled(options.signal);
  try {
    const config = {
      ...rest,
      ...(isName(source) && { source: { catalog: source } }),
      draft: draft === undefined ? undefined : { catalog: draft },
      chatTemplate: chatTemplate === undefined ? undefined : { source: chatTemplate },
    };
    const model = await load(config, {
      ...rest,
      data: isName(source) ? undefined : source,
      observer: { progress: ({ received, total }) => onProgress?.({ phase: 'download', done: received, total }) },
      onProgress: (done, total) => onProgress?.({ phase: 'load', done, total }),
    });
    const found = new Sessions(model, sessions);
    return new Model(model, model.file.path, request => found.of(request), createSandbox);
  } catch (error) {
    throwIfCancelled(options.signal);
    throw asRealmError(error);
  }
}

/** A catalog name or a path, which the catalog tells apart. */
const isName = (source: FileSource): source is string => typeof source === 'string' && !/^(https?|file):/.test(source);

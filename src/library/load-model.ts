import { asRealmError } from '../errors.ts';
import { loadModel as load } from '../llm/load.ts';
import { throwIfCancelled } from './generation.ts';
import { Model } from './model.ts';
import { requireNode } from './node-version.ts';
import type { LoadOptions } from './options.ts';

/**
 * Loads a model into threads of its own.
 *
 * @param source A catalog name (`smollm2-135m`; fetched and verified where it is not there) or the path of a GGUF file.
 * @throws RealmError `model_not_found`, `model_file_missing`, `download_failed`, `checksum_mismatch`, what is wrong with the file
 * (`gguf_invalid`, `architecture_unknown`, …), `out_of_memory`, `request_cancelled`.
 */
export async function loadModel(source: string, options: LoadOptions = {}): Promise<Model> {
  const { draft, chatTemplate, sessions, onProgress, ...rest } = options;
  requireNode();
  throwIfCancelled(options.signal);
  try {
    const config = {
      ...rest,
      source: { catalog: source },
      draft: draft === undefined ? undefined : { catalog: draft },
      chatTemplate: chatTemplate === undefined ? undefined : { source: chatTemplate },
    };
    const model = await load(config, {
      ...rest,
      observer: { progress: ({ received, total }) => onProgress?.({ phase: 'download', done: received, total }) },
      onProgress: (done, total) => onProgress?.({ phase: 'load', done, total }),
    });
    return new Model(model, sessions);
  } catch (error) {
    throwIfCancelled(options.signal);
    throw asRealmError(error);
  }
}

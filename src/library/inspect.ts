import { asRealmError } from '../errors.ts';
import { describeModel, type ModelDescription } from '../llm/describe.ts';
import { openModelFile } from '../llm/open-file.ts';
import { throwIfCancelled } from './generation.ts';

/** What {@link inspect} looks at. */
export interface InspectOptions {
  /** Tokens that the memory is for. Default: 4096, or what the model was trained for where that is less. */
  readonly context?: number;
  /** Aborted: it ends with `request_cancelled`. */
  readonly signal?: AbortSignal;
}

/**
 * Says what is in a model file without loading its weights: a catalog name (fetched where it is not there), a path (the
 * first file of a split model) or an http(s) URL, of which only the beginning is read.
 *
 * @throws RealmError `model_not_found`, `model_file_missing`, `download_failed`, `gguf_invalid`, `gguf_truncated`,
 * `gguf_limit`, `gguf_type_unknown`, `request_cancelled`.
 */
export async function inspect(source: string, options: InspectOptions = {}): Promise<ModelDescription> {
  const { context, signal } = options;
  throwIfCancelled(signal);
  try {
    const gguf = await openModelFile(source, { signal });
    try {
      throwIfCancelled(signal);
      return describeModel(gguf, context);
    } finally {
      await gguf.close();
    }
  } catch (error) {
    throwIfCancelled(signal);
    throw asRealmError(error);
  }
}

import { localCompiler, wordsOf } from '../engine/constraint/compiler.ts';
import { createEngine } from '../engine/engine.ts';
import { openModel } from '../engine/open-model.ts';
import { asRealmError, RealmError } from '../errors.ts';
import type { FileSource } from '../gguf/types.ts';
import { textGeneration } from '../llm/generate.ts';
import { openModelText } from '../llm/model-text.ts';
import { BrowserSandbox } from '../sandbox/browser-sandbox.ts';
import { startGuestWorker } from '../sandbox/browser-transport.ts';
import { throwIfCancelled } from './generation.ts';
import { Model, samplingOf } from './model.ts';
import type { GenerateOptions, LoadOptions } from './options.ts';
import { type CacheOptions, pageSource } from './page-source.ts';

/** How a page loads a model: what {@link LoadOptions} says, but for threads, files and tenants. */
export interface PageOptions
  extends Omit<LoadOptions, 'threads' | 'draft' | 'sessions' | 'tenants' | 'streamMs'>,
    CacheOptions {}

/**
 * Loads a model in a browser, on the thread that calls: a page that wants to stay smooth calls it in a worker of its own.
 *
 * @param source A Blob (a file that the user picked; a list of them for a split model), an http(s) URL (with `cache`, of any server,
 * else of one that honours ranges; of a split model its first file's), the `sha256:…` of a model that the browser keeps
 * ({@link cachedModels}), or the bytes of a GGUF file.
 * @throws RealmError `model_file_missing` (a path, a model that is not kept), `download_failed`, `checksum_mismatch`, `storage_failed`,
 * what is wrong with the file (`gguf_invalid`, `architecture_unknown`, …), `out_of_memory`, `request_cancelled`.
 */
export async function loadModel(source: FileSource, options: PageOptions = {}): Promise<Model> {
  const { signal, system, chatTemplate, sampling, onProgress, onWarning, ...engineOptions } = options;
  throwIfCancelled(signal);
  try {
    const { name, file } = await pageSource(source, options);
    throwIfCancelled(signal);
    const text = await openModelText(file, { system, template: chatTemplate }, onWarning);
    throwIfCancelled(signal);
    const opened = await openModel({ ...engineOptions, file, threads: 1, fingerprint: false }, (done, total) =>
      onProgress?.({ phase: 'load', done, total }),
    );
    const constraints = localCompiler(() => wordsOf(text.tokenizer));
    const engine = createEngine(opened.model, opened.source, engineOptions, { ...opened, constraints });
    if (signal?.aborted) await engine.close();
    throwIfCancelled(signal);
    const defaults = { system, sampling: samplingOf(sampling ?? {}) };
    const model = {
      id: name.replace(/^.*\/|\.gguf$/gi, ''),
      engine,
      ...text,
      generate: textGeneration(engine, text, defaults.sampling),
      defaults,
      created: Math.floor(Date.now() / 1000),
    };
    return new Model(model, name, noSession, () => new BrowserSandbox(startGuestWorker));
  } catch (error) {
    throwIfCancelled(signal);
    throw asRealmError(error);
  }
}

function noSession({ session }: GenerateOptions): undefined {
  if (session === undefined) return;
  throw new RealmError('invalid_request', 'session: a browser keeps no files', { param: 'session' });
}

import { localCompiler, wordsOf } from '../engine/constraint/compiler.ts';
import { createEngine } from '../engine/engine.ts';
import { openModel } from '../engine/open-model.ts';
import { asRealmError, RealmError } from '../errors.ts';
import { nameOfSource } from '../gguf/open.ts';
import type { FileSource } from '../gguf/types.ts';
import { textGeneration } from '../llm/generate.ts';
import { openModelText } from '../llm/model-text.ts';
import { BrowserSandbox } from '../sandbox/browser-sandbox.ts';
import { startGuestWorker } from '../sandbox/browser-transport.ts';
import { throwIfCancelled } from './generation.ts';
import { Model, samplingOf } from './model.ts';
import type { GenerateOptions, LoadOptions } from './options.ts';

/** How a page loads a model: what {@link LoadOptions} says, but for threads, files and tenants. */
export type PageOptions = Omit<LoadOptions, 'threads' | 'draft' | 'sessions' | 'tenants' | 'streamMs'>;

/**
 * Loads a model in a browser, on the thread that calls: a page that wants to stay smooth calls it in a worker of its own.
 *
 * @param source A Blob (a file that the user picked), an http(s) URL on a server that honours ranges, or the bytes of a GGUF file.
 * @throws RealmError `model_file_missing` (a path), `download_failed`, what is wrong with the file (`gguf_invalid`,
 * `architecture_unknown`, …), `out_of_memory`, `request_cancelled`.
 */
export async function loadModel(source: FileSource, options: PageOptions = {}): Promise<Model> {
  const { signal, system, chatTemplate, sampling, onProgress, onWarning, ...engineOptions } = options;
  throwIfCancelled(signal);
  try {
    const name = nameOfSource(source);
    const text = await openModelText(source, { system, template: chatTemplate }, onWarning);
    throwIfCancelled(signal);
    const opened = await openModel({ ...engineOptions, file: source, threads: 1 }, (done, total) =>
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

import { platform } from '#platform';
import type { DeviceChoice } from '../backend/device.ts';
import { hasGpu } from '../backend/webgpu/device.ts';
import { localCompiler, wordsOf } from '../engine/constraint/compiler.ts';
import { createEngine } from '../engine/engine.ts';
import { openModel } from '../engine/open-model.ts';
import type { Engine } from '../engine/types.ts';
import { type OpenEngineOptions, openEngine } from '../engine/worker/handle.ts';
import { asRealmError, RealmError } from '../errors.ts';
import type { FileSource } from '../gguf/types.ts';
import { textGeneration } from '../llm/generate.ts';
import { type ModelText, openModelText } from '../llm/model-text.ts';
import { openUnless } from '../llm/open-unless.ts';
import { createWorkersFrom } from '../platform/browser/threads.ts';
import { BrowserSandbox } from '../sandbox/browser-sandbox.ts';
import { startGuestWorker } from '../sandbox/browser-transport.ts';
import { throwIfCancelled } from './generation.ts';
import { Model, samplingOf } from './model.ts';
import type { GenerateOptions, LoadOptions } from './options.ts';
import { type CacheOptions, pageSource } from './page-source.ts';
import { requireBrowser } from './requirements.ts';

/** How a page loads a model: what {@link LoadOptions} says, but for files and tenants. */
export interface PageOptions
  extends Omit<LoadOptions, 'threads' | 'draft' | 'sessions' | 'tenants' | 'streamMs'>,
    CacheOptions {
  /**
   * Compute threads where the page is cross-origin isolated; one where it is not, or where there is no `worker`. Default: as many as
   * the browser says that there are processors.
   */
  readonly threads?: number;
  /**
   * Where `browser-worker.js` is, if a bundler does not find it: a URL. `false`: no worker; the model is computed on the
   * thread that loads it. Default: a worker from the file beside the library's.
   */
  readonly worker?: string | URL | false;
}

/** The engine of a tab that stands still for so long in the middle of a step has died. */
const watchdogMs = 30_000;

/** Tokens of a step that nothing can interrupt: whoever cancels, or draws, waits for its end. A step of 256 is 3 % faster. */
const shortStep = 64;

/**
 * Loads a model in a browser, into workers of its own.
 *
 * @param source A Blob (a file that the user picked; a list of them for a split model), an http(s) URL (with `cache`, of any server,
 * else of one that honours ranges; of a split model its first file's), the `sha256:…` of a model that the browser keeps
 * ({@link cachedModels}), or the bytes of a GGUF file.
 * @throws RealmError `model_file_missing` (a path, a model that is not kept), `download_failed`, `checksum_mismatch`, `storage_failed`,
 * what is wrong with the file (`gguf_invalid`, `architecture_unknown`, …), `kernel_unavailable` (the browser lacks something),
 * `engine_failed` (there are no workers), `out_of_memory`, `request_cancelled`.
 */
export async function loadModel(source: FileSource, options: PageOptions = {}): Promise<Model> {
  const { signal, system, chatTemplate, sampling, onProgress, onWarning, worker, threads, ...engineOptions } = options;
  throwIfCancelled(signal);
  try {
    requireBrowser();
    const [{ name, file: found }, device] = await Promise.all([pageSource(source, options), deviceOf(options.device)]);
    throwIfCancelled(signal);
    const file = crossing(found);
    const opening: OpenEngineOptions = {
      ...engineOptions,
      ...{ file, device },
      threads: worker === false ? 1 : threadsOf(threads, onWarning),
      ...((worker === false || !platform.sharesMemory) && { maxBatchedTokens: shortStep }),
      watchdogMs,
      onProgress: (done, total) => onProgress?.({ phase: 'load', done, total }),
    };
    if (worker) createWorkersFrom(worker);
    // The worker loads the weights while the vocabulary is read here.
    const elsewhere = worker === false ? undefined : openEngine(opening);
    elsewhere?.catch(() => {});
    const text = await openModelText(file, { system, template: chatTemplate }, onWarning).catch(error => {
      void elsewhere?.then(engine => engine.close()).catch(() => {});
      throw error;
    });
    const engine = await openUnless(signal, elsewhere ?? openHere(opening, text));
    for (const remark of engine.info.remarks ?? []) onWarning?.(remark);
    const defaults = { system, sampling: { ...text.defaults.sampling, ...samplingOf(sampling ?? {}) } };
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

/** On this thread, which does nothing else meanwhile. */
async function openHere({ onProgress, ...options }: OpenEngineOptions, text: ModelText): Promise<Engine> {
  const opened = await openModel(options, onProgress);
  const constraints = localCompiler(() => wordsOf(text.tokenizer));
  return createEngine(opened.model, opened.source, options, { ...opened, constraints });
}

/** A worker that has asked Chromium for an adapter in vain stays after its end: the page asks. */
async function deviceOf(asked: DeviceChoice = 'auto'): Promise<DeviceChoice> {
  return asked === 'auto' && !(await hasGpu()) ? 'cpu' : asked;
}

/** Undefined: the engine's thread finds out. */
function threadsOf(asked: number | undefined, warn?: (message: string) => void): number | undefined {
  if (platform.sharesMemory) return asked;
  if (asked !== 1) warn?.('one thread: the page is not cross-origin isolated (see docs/browser.md)');
  return 1;
}

/** A Blob crosses to a worker without being copied; bytes are, unless they are shared. */
function crossing(source: FileSource): FileSource {
  return source instanceof Uint8Array && source.buffer instanceof ArrayBuffer
    ? new Blob([source as Uint8Array<ArrayBuffer>])
    : source;
}

function noSession({ session }: GenerateOptions): undefined {
  if (session === undefined) return;
  throw new RealmError('invalid_request', 'session: a browser keeps no files', { param: 'session' });
}

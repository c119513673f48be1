import { type Backend, pageTokens } from '../backend/backend.ts';
import { type BackendName, createBackend } from '../backend/registry.ts';
import { fingerprint } from '../gguf/fingerprint.ts';
import { openGguf } from '../gguf/open.ts';
import type { FileSource, GgufFile } from '../gguf/types.ts';
import { cacheLayers } from '../model/cache-layers.ts';
import { readModelConfig } from '../model/config.ts';
import { loadModel } from '../model/load.ts';
import type { Model } from '../model/types.ts';
import type { ModelSource } from './engine.ts';
import { contextOf, defaults, type EngineOptions } from './options.ts';
import { checkDraft } from './speculation/check-draft.ts';

/** Which file, on what. Structured-cloneable. */
export interface OpenOptions extends EngineOptions {
  readonly file: FileSource;
  /** Default `wasm`; `reference` is slow and exact. */
  readonly backend?: BackendName;
  /** File of a smaller model of the same vocabulary that drafts. */
  readonly draft?: FileSource | undefined;
  /** Compute threads. Default: the processors this process may use. */
  readonly threads?: number | undefined;
}

type Progress = (loaded: number, total: number) => void;

/** A model on its backend, and the one that drafts for it. */
export interface OpenedModel {
  readonly model: Model;
  /** On the same backend: closing the model closes both. */
  readonly draft?: Model | undefined;
  readonly source: ModelSource;
  readonly fingerprint?: string;
}

/** Opens model files and puts their weights on a backend. Errors: those of openGguf, loadModel and the backend, `draft_invalid`. */
export async function openModel(options: OpenOptions, onProgress?: Progress): Promise<OpenedModel> {
  const started = performance.now();
  await using file = await disposable(openGguf(options.file));
  await using draftFile = options.draft === undefined ? undefined : await disposable(openGguf(options.draft));
  if (draftFile) checkDraft(file, draftFile);
  const total = file.size + (draftFile?.size ?? 0);
  const backend = await createBackend(options.backend, { threads: options.threads });
  try {
    const shared = { kvType: options.kvType, maxBatchTokens: options.maxBatchedTokens ?? defaults.maxBatchedTokens };
    const maxRunning = options.maxRunning ?? defaults.maxRunning;
    const model = await loadModel(file, backend, {
      ...shared,
      kvTokens: options.kvTokens ?? defaultKvTokens(file, backend, options),
      maxOutputs: maxRunning + defaults.draftRows + defaults.scoredRows,
      onProgress: loaded => onProgress?.(loaded, total),
    });
    const draft =
      draftFile &&
      (await loadModel(draftFile, backend, {
        ...shared,
        kvTokens: model.pages * pageTokens,
        maxOutputs: maxRunning,
        onProgress: loaded => onProgress?.(file.size + loaded, total),
      }));
    const loadMs = performance.now() - started;
    return {
      model,
      draft,
      fingerprint: await fingerprint(file),
      source: { backend: backend.name, fileSize: file.size, loadMs },
    };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

async function disposable(opening: Promise<GgufFile>): Promise<GgufFile & AsyncDisposable> {
  const file = await opening;
  return Object.assign(file, { [Symbol.asyncDispose]: () => file.close() });
}

/** Four contexts as far as 1 GiB reaches, but one context in any case; whole pages. */
function defaultKvTokens(file: GgufFile, backend: Backend, options: OpenOptions): number {
  const config = readModelConfig(file);
  const context = contextOf(options, config.trainedContext);
  const pageBytes = backend.kvPageBytes({ layers: cacheLayers(config), type: options.kvType ?? 'F16' });
  const affordable = Math.floor((defaults.kvBytes / pageBytes) * pageTokens);
  const tokens = Math.max(context, Math.min(defaults.kvContexts * context, affordable));
  return Math.ceil(tokens / pageTokens) * pageTokens;
}

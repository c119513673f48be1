import { platform } from '#platform';
import { type Backend, pageTokens } from '../backend/backend.ts';
import { type DeviceChoice, gpuIndex } from '../backend/device.ts';
import { openBackend } from '../backend/open-backend.ts';
import type { BackendName } from '../backend/registry.ts';
import { splittable } from '../backend/split/placement.ts';
import { fingerprint } from '../gguf/fingerprint.ts';
import { openGguf } from '../gguf/open.ts';
import type { FileSource, GgufFile } from '../gguf/types.ts';
import { describeModel, loadModel, needsOf } from '../model/load.ts';
import type { Model } from '../model/types.ts';
import { defaultKvTokens, defaultStateSlots } from './cache-size.ts';
import type { ModelSource } from './engine.ts';
import { defaults, type EngineOptions } from './options.ts';
import { checkDraft } from './speculation/check-draft.ts';

/** Which file, on what. Structured-cloneable. */
export interface OpenOptions extends EngineOptions {
  readonly file: FileSource;
  /** For tests: this one, whatever the device. `reference` is slow and exact. */
  readonly backend?: BackendName;
  /** Where it is computed. Default `auto`. */
  readonly device?: DeviceChoice | undefined;
  /** The last so many layers are on the GPU, the others on the CPU. Default: as many as fit. */
  readonly gpuLayers?: number | undefined;
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
  readonly fingerprint?: string | undefined;
}

/**
 * Opens model files and puts their weights on a backend: with `auto` on a GPU, and on the CPU where that cannot hold them or fails.
 * Errors: those of openGguf, loadModel and the backend, `draft_invalid`.
 */
export async function openModel(options: OpenOptions, onProgress?: Progress): Promise<OpenedModel> {
  const started = performance.now();
  await using file = await disposable(openGguf(options.file));
  await using draftFile = options.draft === undefined ? undefined : await disposable(openGguf(options.draft));
  if (draftFile) checkDraft(file, draftFile);
  const files = draftFile ? ([file, draftFile] as const) : ([file] as const);
  const remarks: string[] = [];
  const { backend: name, device, gpuLayers, threads } = options;
  const on = (backend: Backend) => loadOn(backend, files, options, onProgress);
  const types = new Set(files.flatMap(each => [...each.tensors.values()].map(({ type }) => type)));
  const needs = new Set(files.flatMap(needsOf));
  const { backend, opened } = await openBackend(
    {
      ...{ name, device, gpuLayers, threads, types, needs, model: splittable(file.tensors) },
      onRemark: remark => remarks.push(remark),
    },
    on,
  );
  const loadMs = performance.now() - started;
  return {
    ...opened,
    // It reads a piece of every tensor, and only sessions need it.
    fingerprint: platform.files.areKept ? await fingerprint(file) : undefined,
    source: {
      ...{ backend: backend.name, fileSize: file.size, loadMs, onGpu: backend.onGpu ?? false },
      device: backend.onGpu ? `gpu:${gpuIndex(device ?? 'auto')}` : 'cpu',
      ...(remarks.length > 0 && { remarks }),
    },
  };
}

/** The models with their weights on a backend; where that fails it is closed. */
async function loadOn(
  backend: Backend,
  [file, draftFile]: readonly [GgufFile, (GgufFile | undefined)?],
  options: OpenOptions,
  onProgress: Progress | undefined,
): Promise<Pick<OpenedModel, 'model' | 'draft'>> {
  const total = file.size + (draftFile?.size ?? 0);
  const shared = { kvType: options.kvType, maxBatchTokens: batchTokens(file, options) };
  const maxRunning = options.maxRunning ?? defaults.maxRunning;
  const model = await loadModel(file, backend, {
    ...shared,
    ...cacheOf([file, draftFile], backend, options),
    maxOutputs: maxRunning + defaults.draftRows + defaults.scoredRows,
    onProgress: loaded => onProgress?.(loaded, total),
  });
  if (!draftFile) return { model };
  const draft = await loadModel(draftFile, backend, {
    ...shared,
    kvTokens: model.pages * pageTokens,
    maxOutputs: maxRunning,
    onProgress: loaded => onProgress?.(file.size + loaded, total),
  });
  return { model, draft };
}

/** An encoder's batch must hold the longest text whole. */
function batchTokens(file: GgufFile, { maxBatchedTokens = defaults.maxBatchedTokens, context }: EngineOptions): number {
  const { encoder, config } = describeModel(file);
  if (!encoder) return maxBatchedTokens;
  return Math.max(maxBatchedTokens, Math.min(context ?? Number.POSITIVE_INFINITY, config.trainedContext));
}

async function disposable(opening: Promise<GgufFile>): Promise<GgufFile & AsyncDisposable> {
  const file = await opening;
  return Object.assign(file, { [Symbol.asyncDispose]: () => file.close() });
}

/** How much of what is kept of sequences there is room for. The draft model, where there is one, has a cache of as many tokens. */
function cacheOf(
  [file, draft]: readonly [GgufFile, (GgufFile | undefined)?],
  backend: Backend,
  options: OpenOptions,
): { kvTokens: number; stateSlots: number } {
  const type = options.kvType ?? 'F16';
  const { config, cache, encoder } = describeModel(file);
  const maxRunning = options.maxRunning ?? defaults.maxRunning;
  // Nothing stays in its cache: it holds one step.
  if (encoder) return { kvTokens: batchTokens(file, options) + maxRunning * pageTokens, stateSlots: 0 };
  const slotBytes = 4 * cache.reduce((sum, layer) => sum + ('stateSize' in layer ? layer.stateSize : 0), 0);
  const weights = file.size + (draft?.size ?? 0);
  // Nobody knows how much memory a GPU has.
  const memory = backend.onGpu ? undefined : (options.memory ?? platform.availableMemory());
  const stateSlots = defaultStateSlots(maxRunning, { slotBytes, weights, memory });
  const pageBytes = (each: GgufFile) => backend.kvPageBytes({ layers: describeModel(each).cache, type });
  const needs = {
    trainedContext: config.trainedContext,
    pageBytes: pageBytes(file) + (draft ? pageBytes(draft) : 0),
    weights: weights + stateSlots * slotBytes,
    memory,
  };
  return { kvTokens: options.kvTokens ?? defaultKvTokens(options, needs), stateSlots };
}

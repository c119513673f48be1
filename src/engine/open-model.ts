import { pageTokens } from '../backend/backend.ts';
import { createReferenceBackend } from '../backend/reference/reference.ts';
import { createWasmBackend } from '../backend/wasm/backend.ts';
import { headBytes } from '../kernels/attention.ts';
import { openGguf } from '../gguf/open.ts';
import { readHyper } from '../model/hyper.ts';
import { loadModel } from '../model/load.ts';
import type { Model } from '../model/types.ts';
import type { ModelSource } from './engine.ts';
import { contextOf } from './engine-loop.ts';
import { defaults, type EngineOptions } from './options.ts';

/** Which file, on what. Structured-cloneable. */
export interface OpenOptions extends EngineOptions {
  readonly path: string;
  /** Default `wasm`; `reference` is slow and exact. */
  readonly backend?: 'wasm' | 'reference';
  /** Compute threads. Default: the processors this process may use. */
  readonly threads?: number;
}

type Progress = (loaded: number, total: number) => void;

/** Opens a model file and puts its weights on a backend. Errors: those of openGguf, loadModel and the backend. */
export async function openModel(
  options: OpenOptions,
  onProgress?: Progress,
): Promise<{ model: Model; source: ModelSource }> {
  const started = performance.now();
  const file = await openGguf(options.path);
  try {
    const { layers, kvHeads, headDim, trainedContext } = readHyper(file);
    const context = contextOf(options, trainedContext);
    const perHead = headBytes(options.kvType ?? 'F16', headDim) / pageTokens;
    const kvTokens = options.kvTokens ?? defaultKvTokens(context, 2 * layers * kvHeads * perHead);
    const backend =
      options.backend === 'reference'
        ? createReferenceBackend()
        : await createWasmBackend({ threads: options.threads });
    const model = await loadModel(file, backend, {
      kvTokens,
      kvType: options.kvType,
      maxBatchTokens: options.stepTokens ?? defaults.stepTokens,
      maxOutputs: (options.maxRunning ?? defaults.maxRunning) + defaults.draftRows,
      onProgress,
    });
    const loadMs = performance.now() - started;
    return { model, source: { backend: backend.name, fileSize: file.size, loadMs } };
  } finally {
    await file.close();
  }
}

/** Four contexts as far as 1 GiB reaches, but one context in any case; whole pages. */
function defaultKvTokens(context: number, bytesPerToken: number): number {
  const affordable = Math.floor(defaults.kvBytes / bytesPerToken);
  const tokens = Math.max(context, Math.min(defaults.kvContexts * context, affordable));
  return Math.ceil(tokens / pageTokens) * pageTokens;
}

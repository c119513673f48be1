import { resolveModel } from '../catalog/resolve.ts';
import type { ModelFile } from '../catalog/types.ts';
import { openGguf } from '../gguf/open.ts';
import { type LoadOptions, loadModel, nameOf, type ServedModel } from '../llm/load.ts';
import { memoryNeeded } from '../llm/memory.ts';
import type { ModelEntry, ModelPlace } from '../tenancy/config.ts';
import { metered } from './metered-model.ts';
import type { ModelLoader } from './model-loads.ts';
import type { ModelDefinition, ModelSlot } from './model-slot.ts';
import type { Services } from './services.ts';
import { watchEngine } from './watch-engine.ts';

export interface LoaderOptions
  extends Pick<LoadOptions, 'context' | 'threads' | 'device' | 'gpuLayers' | 'observer' | 'onProgress' | 'signal'> {
  readonly tenants?: LoadOptions['tenants'];
  readonly onLoaded?: (model: ServedModel) => void;
  /** How a model's engine is watched and opened again; absent: it is not. */
  readonly supervision?: ((model: string, onRestarted: () => void) => Partial<LoadOptions>) | undefined;
  /** Opens a model; absent: from its file, into an engine. */
  readonly loader?: typeof loadModel | undefined;
}

type Needed = Pick<Services, 'adapters' | 'logger' | 'meter' | 'text'>;

/** Loads models from their files into engines, with their adapters. */
export function modelLoader({ adapters, logger, meter, text }: Needed, options: LoaderOptions): ModelLoader {
  const either = (signal: AbortSignal) => (options.signal ? AbortSignal.any([signal, options.signal]) : signal);
  return {
    async need({ entry }, signal) {
      if (options.loader) return 0;
      const { source, draft } = entry;
      const own = await needOf(await fileOf(source, options, either(signal)), options.context ?? entry.context);
      const drafting = draft ? await needOf(await fileOf(draft, options, either(signal)), own.context) : { bytes: 0 };
      return isForGpu(entry, options) ? 0 : own.bytes + drafting.bytes;
    },
    async load({ definition, modelId }, { memory, onProgress, onRestarted, signal }) {
      const { id } = definition;
      const model = await (options.loader ?? loadModel)(
        { ...definition.entry, id },
        {
          ...options,
          memory,
          ...options.supervision?.(id, onRestarted),
          signal: either(signal),
          onWarning: problem => logger.log('warn', 'model', { model: id, problem }),
          onProgress: (loaded, total) => {
            options.onProgress?.(loaded, total);
            onProgress(loaded, total);
          },
        },
      );
      watchEngine(model, logger);
      const own = metered(model, meter);
      await adapters.restore(modelId, own).catch(async error => {
        await model.engine.close();
        throw error;
      });
      options.onLoaded?.(model);
      return own;
    },
    unloaded: model => text.forget(model),
  };
}

/** All of it is to lie in a GPU's memory. What finds no room there is counted when it is loaded, and so is what `auto` puts there. */
function isForGpu(entry: Partial<ModelEntry>, options: LoaderOptions): boolean {
  const { device = entry.device, gpuLayers = entry.gpuLayers } = options;
  return device?.startsWith('gpu') === true && gpuLayers === undefined;
}

/** How long a model that is loaded on demand stays without requests. */
const idleMs = 300_000;

/** What the registry needs to know of a model of a configuration. */
export function definitionOf(
  entry: Partial<ModelEntry>,
  id: string,
  source: ModelDefinition['source'],
): ModelDefinition {
  const { load = 'start', pinned = false, aliases = [] } = entry;
  return { id, entry, source, load, pinned, aliases, idleMs: entry.idleMs ?? (load === 'demand' ? idleMs : undefined) };
}

/** A model that has no name in the configuration has that of its file. */
export async function idOf({ id, source }: Partial<ModelEntry>, options: LoaderOptions): Promise<string> {
  return id ?? (await fileOf(source, options, options.signal)).name;
}

/** Fetched where it is not on this machine. */
function fileOf(
  place: ModelPlace | undefined,
  { observer }: LoaderOptions,
  signal: AbortSignal | undefined,
): Promise<ModelFile> {
  return resolveModel(nameOf(place), { ...observer, signal });
}

async function needOf({ path }: ModelFile, context: number | undefined): Promise<{ bytes: number; context?: number }> {
  const gguf = await openGguf(path);
  try {
    const need = memoryNeeded(gguf, context);
    // What is wrong with the file is said when it is loaded.
    return 'unknown' in need ? { bytes: gguf.size } : { bytes: need.weights + need.kvCache, context: need.context };
  } finally {
    await gguf.close();
  }
}

/** One line for each model that is loaded, unloaded or fails. */
export function logModels({ models, logger }: Pick<Services, 'models' | 'logger'>): void {
  const states = new WeakMap<ModelSlot, string>();
  models.watch(slot => {
    const { id: model, state, failure, memory, gpuMemory, device } = slot;
    const before = states.get(slot) ?? 'unloaded';
    if (before === state) return;
    states.set(slot, state);
    if (state === 'ready')
      logger.log('info', 'model loaded', { model, device, memory_bytes: memory, gpu_memory_bytes: gpuMemory });
    else if (state === 'unloaded' && before === 'ready') logger.log('info', 'model unloaded', { model });
    else if (state === 'failed' && failure && failure.error.code !== 'engine_failed')
      logger.log('error', 'model failed', { model, code: failure.error.code, reason: failure.error.message });
  });
}

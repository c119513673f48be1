import { localLink } from './local-link.ts';
import type { ModelSlot } from './model-slot.ts';

/** A model as its operator sees it. */
export async function modelStatus(slot: ModelSlot) {
  const { definition, settings, failure, progress, model } = slot;
  // One that has just lost its engine has no figures.
  const stats = await model?.engine.stats().catch(() => undefined);
  return {
    id: slot.id,
    number: slot.modelId,
    source: definition.source,
    load: definition.load,
    state: slot.state,
    error: slot.state === 'failed' && failure ? { code: failure.error.code, message: failure.error.message } : null,
    progress: progress ? { loaded: progress.loaded, total: progress.total } : null,
    /** Where it is computed. */
    device: slot.device ?? null,
    memory_bytes: slot.memory,
    gpu_memory_bytes: slot.gpuMemory,
    pinned: settings.pinned,
    aliases: settings.aliases,
    idle_seconds: settings.idleMs === undefined ? null : settings.idleMs / 1000,
    loaded_at: slot.loadedAt === undefined ? null : new Date(slot.loadedAt).toISOString(),
    /** Requests that have it. */
    leases: slot.leases,
    /** Sequences that are being computed, and what waits: for it to be loaded, or in its queues. */
    running: stats?.running ?? 0,
    waiting: slot.waiting + (stats?.waiting ?? 0),
    /** Where a browser runs it itself. */
    local_page: localLink(definition),
  };
}

export type ModelStatus = Awaited<ReturnType<typeof modelStatus>>;

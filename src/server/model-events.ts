import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelRegistry } from './model-registry.ts';
import type { ModelSlot } from './model-slot.ts';
import { type ModelStatus, modelStatus } from './model-status.ts';
import type { StreamWriter } from './sse.ts';
import { sse } from './sse.ts';
import { Change, unlessAborted } from './waiting.ts';

/** What somebody who watches the models hears. */
export type ModelEvent =
  | { readonly kind: 'model'; readonly status: ModelStatus }
  | { readonly kind: 'removed'; readonly id: string };

/** Changes of one model within that time are one event. */
const pauseMs = 100;

/** All models as they are, then each one that changes. A slow reader misses what lies between, never the last. */
export async function* modelEvents(models: ModelRegistry, signal: AbortSignal): AsyncGenerator<ModelEvent> {
  const changed = new Set<ModelSlot>(models.all);
  const change = new Change();
  const stop = models.watch(slot => {
    changed.add(slot);
    change.happened();
  });
  try {
    for (;;) {
      for (const slot of changed) {
        changed.delete(slot);
        yield slot.removed ? { kind: 'removed', id: slot.id } : { kind: 'model', status: await modelStatus(slot) };
      }
      if (changed.size === 0) await unlessAborted(change.next(), signal);
      await unlessAborted(sleep(pauseMs), signal);
    }
  } finally {
    stop();
  }
}

export const modelEventWriter: StreamWriter<ModelEvent> = {
  ...sse,
  of: event => sse.frame(event.kind === 'model' ? event.status : { id: event.id }, event.kind),
  end: () => '',
  failed: ({ code, message }) => sse.frame({ error: { code, message } }, 'error'),
};

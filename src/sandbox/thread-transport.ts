import { Worker } from 'node:worker_threads';
import type { GuestTransport, TransportEvents } from './guest-host.ts';

/** Where the built-in programs run. They are trusted: a thread cannot be ended against its will. */
export function startGuestThread(events: TransportEvents): GuestTransport {
  const worker = new Worker(new URL('./guest-thread.ts', import.meta.url), {
    name: 'realm-programs',
    env: {},
    argv: [],
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 8, stackSizeMb: 2 },
  });
  worker.on('message', batch => events.received(batch));
  worker.on('error', (error: Error & { code?: string }) => {
    const outOfMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    events.failed(
      outOfMemory
        ? { kind: 'out_of_memory', message: "its worker's heap is full" }
        : { kind: 'died', message: `its worker failed: ${error.message}` },
    );
  });
  worker.on('exit', () => events.failed({ kind: 'died', message: 'its worker exited' }));
  // After the listeners: those hold the process.
  worker.unref();
  return {
    send: batch => worker.postMessage(batch),
    kill: async () => {
      await worker.terminate();
    },
    usage: () => undefined,
  };
}

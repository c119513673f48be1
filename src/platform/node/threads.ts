import { parentPort, Worker, workerData } from 'node:worker_threads';
import type { Thread, ThreadModule, ThreadOptions, ThreadPort } from '../platform.ts';
import { shareCompileLock } from './compile.ts';

export function startThread({ file, from }: ThreadModule, data: unknown, { youngHeapMb }: ThreadOptions = {}): Thread {
  shareCompileLock();
  const resourceLimits = youngHeapMb === undefined ? {} : { maxYoungGenerationSizeMb: youngHeapMb };
  const worker = new Worker(new URL(file, from), { workerData: data, resourceLimits });
  const end = Promise.withResolvers<string>();
  worker.on('messageerror', error => end.resolve(`sent a damaged message: ${error.message}`));
  worker.on('error', (error: unknown) => end.resolve(`failed: ${error instanceof Error ? error.message : error}`));
  worker.on('exit', code => end.resolve(`ended (${code})`));
  // Each question has a listener of its own until it is answered, which a thread that computes may not do for long.
  let asked: Promise<number> | undefined;
  return {
    post: message => worker.postMessage(message),
    onMessage: listener => void worker.on('message', listener),
    onEnd: listener => void end.promise.then(listener),
    unref: () => worker.unref(),
    terminate: async () => void (await worker.terminate()),
    cpuMs: () => {
      asked ??= cpuMs(worker).finally(() => {
        asked = undefined;
      });
      return asked;
    },
  };
}

async function cpuMs(worker: Worker): Promise<number> {
  const { user, system } = await worker.cpuUsage();
  return (user + system) / 1000;
}

const port = parentPort;

export const thread: ThreadPort | undefined = port
  ? {
      data: workerData,
      post: message => port.postMessage(message),
      onMessage: listener => void port.on('message', listener),
    }
  : undefined;

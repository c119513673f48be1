/**
 * A browser's threads are Web Workers. All begin with one file (`src/browser-worker.ts`), so that bundlers and folders of
 * static files have to know of one; what a thread is for it hears with its first message.
 */
import { RealmError } from '../../errors.ts';
import type { Thread, ThreadModule, ThreadPort } from '../platform.ts';

/** The first message of a thread: what it is for, and where the others come from. */
interface Start {
  readonly data: unknown;
  readonly port: MessagePort;
}

let create: (() => Worker) | undefined;

/** Says how a worker is made with that file: only the bundle knows where it is. */
export function createWorkersBy(creator: () => Worker): void {
  create = creator;
}

/** Has workers begin with the file at `url`. */
export function createWorkersFrom(url: string | URL): void {
  create = () => new Worker(url, { type: 'module', name: 'realm' });
}

/**
 * Nobody says when a worker that was terminated is gone. Chromium leaves both behind where the worker that has started it ends in the
 * same moment: so that one waits a little.
 */
const goneMs = 100;

/** Nobody says how long a worker has computed. */
const unknownCpuMs = async (): Promise<number> => 0;

export function startThread(_: ThreadModule, data: unknown): Thread {
  const worker = newWorker();
  const { port1: port, port2 } = new MessageChannel();
  const end = Promise.withResolvers<string>();
  const finish = (reason: string): void => {
    worker.terminate();
    port.close();
    end.resolve(reason);
  };
  // A worker goes on after an error that nobody caught; a thread does not.
  worker.onerror = event => {
    event.preventDefault();
    finish(event.message ? `failed: ${event.message}` : notLoaded);
  };
  port.onmessageerror = () => finish('sent a damaged message');
  worker.postMessage({ data, port: port2 } satisfies Start, [port2]);
  return {
    post: message => port.postMessage(message),
    onMessage: listener => {
      port.onmessage = ({ data }) => listener(data);
    },
    onEnd: listener => void end.promise.then(listener),
    unref: () => {},
    terminate: async () => {
      finish('ended');
      await new Promise(resolve => setTimeout(resolve, goneMs));
    },
    cpuMs: unknownCpuMs,
  };
}

/** A script that cannot be loaded is an error without a message. */
const notLoaded =
  'could not be loaded: serve browser-worker.js beside the library’s file, with its headers, or say in `worker` where it is';

function newWorker(): Worker {
  try {
    if (create) return create();
  } catch (cause) {
    const { message } = cause as Error;
    throw new RealmError('engine_failed', `the browser starts no worker (${message}); ${withoutWorker}`, { cause });
  }
  throw new RealmError('engine_failed', `there are no workers here; ${withoutWorker}`);
}

const withoutWorker = 'load the model with worker: false';

/** This thread's end, once it has begun. */
export let thread: ThreadPort | undefined;

/** Resolves when this worker knows what it is for. */
export function begin(): Promise<void> {
  // What nobody catches ends the thread, as in Node.
  addEventListener('unhandledrejection', ({ reason }) => reportError(reason));
  return new Promise(resolve => {
    const start = ({ data: { data, port } }: MessageEvent<Start>): void => {
      thread = {
        data,
        post: message => port.postMessage(message),
        onMessage: listener => {
          port.onmessage = ({ data }) => listener(data);
        },
      };
      resolve();
    };
    addEventListener('message', start, { once: true });
  });
}

import { RealmError } from '../errors.ts';
import type { GuestTransport, TransportEvents } from './guest-host.ts';

/** Where a program runs in a browser: whatever it does, `terminate` ends it, and gives all of its memory back. */
export function startGuestWorker(events: TransportEvents): GuestTransport {
  const worker = newWorker();
  worker.onmessage = ({ data }) => events.received(data);
  worker.onerror = event => {
    event.preventDefault();
    events.failed({ kind: 'died', message: event.message ? `its worker failed: ${event.message}` : notLoaded });
  };
  return {
    send: batch => worker.postMessage(batch),
    kill: async () => worker.terminate(),
    usage: () => undefined,
  };
}

/** A script that cannot be loaded is an error without a message. */
const notLoaded = "its worker could not be loaded: serve guest-worker.js beside the library's file";

function newWorker(): Worker {
  try {
    // Beside the bundle. Bundlers look for these very words to find the file.
    return new Worker(new URL('./guest-worker.js', import.meta.url), { type: 'module', name: 'realm-program' });
  } catch (cause) {
    const message = `the browser starts no worker for a program (${(cause as Error).message}); serve the library from the page's own origin`;
    throw new RealmError('kernel_unavailable', message, { cause });
  }
}

/** What every thread of a browser begins with: it hears what it is for, and the module whose work that is does it. */
import './platform/browser/symbols.ts';
import { begin, createWorkersBy } from './platform/browser/threads.ts';

createWorkersBy(() => new Worker(self.location.href, { type: ownType(), name: 'realm' }));

void begin().then(() =>
  Promise.all([
    import('./engine/worker/worker.ts'),
    import('./backend/wasm/thread.ts'),
    import('./engine/constraint/compile-worker.ts'),
  ]),
);

/** Some bundlers make a classic worker of this. Only there scripts can be imported, be it none. */
function ownType(): WorkerType {
  try {
    (self as unknown as { importScripts(): void }).importScripts();
    return 'classic';
  } catch {
    return 'module';
  }
}

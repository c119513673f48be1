/** What every thread of a browser begins with: it hears what it is for, and the module whose work that is does it. */
import { begin, createWorkersBy } from './platform/browser/threads.ts';

createWorkersBy(() => new Worker(self.location.href, { type: 'module', name: 'realm' }));

void begin().then(() =>
  Promise.all([
    import('./engine/worker/worker.ts'),
    import('./backend/wasm/thread.ts'),
    import('./engine/constraint/compile-worker.ts'),
  ]),
);

import v8 from 'node:v8';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

/**
 * V8's flags belong to the whole process: they are set only while it compiles, so that no tenant's program goes through
 * the experimental pass, and by one thread at a time. Without lazy compilation and the baseline compiler the optimised
 * code is there when this returns; inlining trips a check in V8 when the pass is on.
 */
export function compile(bytes: Uint8Array<ArrayBuffer>, revectorize: boolean): WebAssembly.Module {
  const flags = ['liftoff', 'wasm-lazy-compilation', 'wasm-inlining'];
  return exclusively(() => {
    for (const flag of flags) v8.setFlagsFromString(`--no-${flag}`);
    if (revectorize) v8.setFlagsFromString('--experimental-wasm-revectorize');
    try {
      return new WebAssembly.Module(bytes);
    } finally {
      for (const flag of flags) v8.setFlagsFromString(`--${flag}`);
      v8.setFlagsFromString('--no-experimental-wasm-revectorize');
    }
  });
}

const lockName = 'realm.compiling';

/** Makes the lock that threads started from here on share. */
export function shareCompileLock(): Int32Array {
  const known = getEnvironmentData(lockName) as Int32Array | undefined;
  const lock = known ?? new Int32Array(new SharedArrayBuffer(4));
  if (!known) setEnvironmentData(lockName, lock);
  return lock;
}

function exclusively<T>(work: () => T): T {
  const lock = shareCompileLock();
  // A holder that was terminated never lets go: after a minute the lock is taken over. One that compiles takes a second,
  // ten on a busy machine; whoever took its lock would change V8's flags under it, which ends the process.
  while (Atomics.compareExchange(lock, 0, 0, 1) !== 0) if (Atomics.wait(lock, 0, 1, 60_000) === 'timed-out') break;
  try {
    return work();
  } finally {
    Atomics.store(lock, 0, 0);
    Atomics.notify(lock, 0, 1);
  }
}

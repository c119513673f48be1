import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { GuestTransport, TransportEvents } from './guest-host.ts';
import { lowerPriority } from './priority.ts';
import { processUsage } from './process-usage.ts';

const flags = [
  // Texts on their way to and from guests are all that is on the heap.
  '--max-old-space-size=1024',
  '--max-semi-space-size=1',
  // Baseline code is made at once, where it is awaited and measured, rather than while the program runs.
  '--no-wasm-lazy-compilation',
  // One thread that compiles beside the program: with more, the memory that compiling takes is multiplied.
  '--v8-pool-size=1',
  '--stack-size=1800',
];

/**
 * Where tenants' own programs run: whatever they do, SIGKILL ends it. `memoryMb`: what the memories of those that share
 * it may take together; undefined: a module is tried in it, by itself.
 */
export function startGuestProcess(events: TransportEvents, memoryMb?: number): GuestTransport {
  const child = launch(memoryMb);
  // It starts like any other; from then on it yields to the engine.
  child.once('message', () => lowerPriority(child.pid!));
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()));
  child.on('message', batch => events.received(batch as Parameters<TransportEvents['received']>[0]));
  child.on('error', error => events.failed({ kind: 'died', message: `its process failed: ${error.message}` }));
  child.on('exit', (code, signal) =>
    events.failed({ kind: 'died', message: `its process ended (${signal ?? `exit code ${code}`})` }),
  );
  child.unref();
  child.channel?.unref();
  return {
    // A channel that closed is told by `exit`.
    send: batch => child.send(batch as unknown as object[], () => {}),
    kill: async () => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) await gone;
    },
    usage: () => (child.pid === undefined ? undefined : processUsage(child.pid)),
  };
}

function launch(memoryMb: number | undefined): ChildProcess {
  // With sources compiled before, it starts in 50 ms and takes 55 MB; without, 160 ms and 95 MB.
  const { NODE_COMPILE_CACHE = ownPath('../../node_modules/.cache/realm') } = process.env;
  const shared = memoryMb === undefined ? [] : [String(memoryMb)];
  return spawn(process.execPath, [...flags, ownPath('./guest-process.ts'), ...shared], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    serialization: 'advanced',
    env: { NODE_COMPILE_CACHE },
  });
}

const ownPath = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

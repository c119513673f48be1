/** A compute thread of the team: waits for a program, works through its share, waits again. */
import { parentPort, workerData } from 'node:worker_threads';
import type { KernelExports } from '../../kernels/module.ts';
import { type Machine, Program } from './commands.ts';

export interface ThreadData {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly shared: SharedArrayBuffer;
  readonly threads: number;
  readonly scratch: number;
  readonly types: readonly string[];
  readonly maxTile: number;
}

export function createMachine(data: Omit<ThreadData, 'shared' | 'threads'>): Machine {
  const { module, memory, scratch, types, maxTile } = data;
  const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
  return {
    kernels,
    bytes: new Uint8Array(memory.buffer),
    words: new Int32Array(memory.buffer),
    scratch,
    types,
    maxTile,
  };
}

if (parentPort && workerData?.computeThread) {
  const data = workerData.computeThread as ThreadData;
  const machine = createMachine(data);
  const program = new Program(data.threads, data.shared);
  parentPort.postMessage('ready');
  for (let seen = program.await(0); seen > 0; seen = program.await(seen)) program.work(machine);
}

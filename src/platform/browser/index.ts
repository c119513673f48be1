/** A page, or a worker that it started: one thread, no files, and memory that nobody else sees. */
import { RealmError } from '../../errors.ts';
import type { Platform } from '../platform.ts';
import { digests } from './digests.ts';
import { files } from './files.ts';
import { gpus } from './gpu.ts';
import { later, nextTurn } from './next-turn.ts';

export const platform: Platform = {
  availableParallelism: () => 1,
  sharesMemory: false,
  startThread: () => {
    throw new RealmError('kernel_unavailable', 'there is one thread in a browser; load the model with threads: 1');
  },
  thread: undefined,
  nextTurn,
  later,
  files,
  digests,
  compile: bytes => new WebAssembly.Module(bytes),
  revectorizes: false,
  gpus,
  machine: async () => ({ cpu: 'unknown', flags: '', platform: navigator.userAgent, node: '', v8: '' }),
  availableMemory: () => undefined,
  heapBytes: () => undefined,
  utf8Length: text => new TextEncoder().encode(text).length,
  setting: () => undefined,
};

/** A page, or a worker that it started: no files, and memory that nobody else sees unless the page is isolated. */
import { RealmError } from '../../errors.ts';
import type { Platform } from '../platform.ts';
import { digests } from './digests.ts';
import { mayWait, sharesMemory } from './features.ts';
import { files } from './files.ts';
import { gpus } from './gpu.ts';
import { later, nextTurn } from './next-turn.ts';
import { startThread, thread } from './threads.ts';

export const platform: Platform = {
  availableParallelism: () => (sharesMemory && mayWait ? navigator.hardwareConcurrency || 1 : 1),
  sharesMemory,
  startThread,
  get thread() {
    return thread;
  },
  // Bundlers would look for it.
  importModule: url => Promise.reject(new RealmError('internal_error', `${url}: a browser has one file of modules`)),
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

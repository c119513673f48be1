import { availableParallelism } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import type { Platform } from '../platform.ts';
import { availableMemory } from './available-memory.ts';
import { compile } from './compile.ts';
import { digests } from './digests.ts';
import { files } from './files.ts';
import { gpus } from './gpu.ts';
import { machine } from './machine.ts';
import { startThread, thread } from './threads.ts';

export const platform: Platform = {
  availableParallelism,
  sharesMemory: true,
  startThread,
  thread,
  importModule: url => import(url),
  nextTurn,
  later: setImmediate,
  files,
  digests,
  compile,
  revectorizes: true,
  gpus,
  machine,
  availableMemory,
  heapBytes: () => getHeapStatistics().total_heap_size,
  utf8Length: text => Buffer.byteLength(text),
  setting: name => process.env[name],
};

/**
 * Realm as a library for browsers: a model in workers of its own.
 *
 * @packageDocumentation
 */
import './platform/browser/symbols.ts';
import { createWorkersBy } from './platform/browser/threads.ts';

// Bundlers look for these very words to find the file.
createWorkersBy(() => new Worker(new URL('./browser-worker.js', import.meta.url), { type: 'module', name: 'realm' }));

export { type CachedModel, cachedModels, removeCachedModel } from './catalog/opfs/kept.ts';
export { type ErrorCode, RealmError } from './errors.ts';
export type { FileSource } from './gguf/types.ts';
export { type Answer, type Chunk, Generation } from './library/generation.ts';
export { loadModel, type PageOptions } from './library/load-in-page.ts';
export { loadProgram, Program } from './library/load-program.ts';
export { Model, type ModelInfo } from './library/model.ts';
export type * from './library/options.ts';
export type { CacheOptions } from './library/page-source.ts';
export type * from './library/program-options.ts';
export { type BrowserFeatures, features } from './platform/browser/features.ts';
export type { ChatMessage, EncodeOptions as TokenizeOptions } from './tokenizer/types.ts';

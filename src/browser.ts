/**
 * Realm as a library for browsers: a model on the thread that loads it.
 *
 * @packageDocumentation
 */

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
export type { ChatMessage, EncodeOptions as TokenizeOptions } from './tokenizer/types.ts';

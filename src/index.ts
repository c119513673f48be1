/**
 * Realm as a library: models in the threads of your own process, or a server for many tenants.
 *
 * @packageDocumentation
 */
export type { EngineStats as ModelStats, EngineUsage as Usage, FinishReason, Sampling } from './engine/types.ts';
export { type ErrorCode, RealmError } from './errors.ts';
export { type Answer, type Chunk, Generation } from './library/generation.ts';
export { inspect, type InspectOptions } from './library/inspect.ts';
export { loadModel } from './library/load-model.ts';
export { Model, type ModelInfo } from './library/model.ts';
export type {
  ChatOptions,
  EmbedOptions,
  GenerateOptions,
  LoadOptions,
  LoadProgress,
  RequestOptions,
  TenantShare,
} from './library/options.ts';
export { serve, type ServeOptions, type Server } from './library/serve.ts';
export type { ModelDescription } from './llm/describe.ts';
export type { TextLogprob as TokenLogprob } from './llm/types.ts';
export type { ChatMessage } from './tokenizer/types.ts';

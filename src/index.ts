/**
 * Realm as a library: models in the threads of your own process, or a server for many tenants.
 *
 * @packageDocumentation
 */

export type { MemoryStats } from './backend/backend.ts';
export type { EngineUsage as Usage, FinishReason, Sampling } from './engine/request.ts';
export type { EngineInfo, EngineMemory, EngineStats as ModelStats, TenantLoad } from './engine/types.ts';
export { type ErrorCode, RealmError } from './errors.ts';
export type { FileSource, GgufArray, GgufValue, TensorInfo } from './gguf/types.ts';
export { type Answer, type Chunk, Generation } from './library/generation.ts';
export { type InspectOptions, inspect } from './library/inspect.ts';
export { loadModel } from './library/load-model.ts';
export { loadProgram, Program } from './library/load-program.ts';
export { Model, type ModelInfo } from './library/model.ts';
export type {
  ChatOptions,
  Constraint,
  EmbedOptions,
  GenerateOptions,
  LoadOptions,
  LoadProgress,
  RequestOptions,
  SamplingOptions,
  TenantShare,
} from './library/options.ts';
export type {
  ProgramInput,
  ProgramLimits,
  ProgramTool,
  RunAnswer,
  RunChunk,
  RunOptions,
  ToolCall,
} from './library/program-options.ts';
export { type ServeOptions, type Server, serve } from './library/serve.ts';
export type { ModelDescription, TypeSum } from './llm/describe.ts';
export type { MemoryNeed } from './llm/memory.ts';
export type { TextLogprob as TokenLogprob } from './llm/types.ts';
export type { QuantType } from './quant/types.ts';
export type {
  ChatMessage,
  ChatOptions as TemplateOptions,
  EncodeOptions as TokenizeOptions,
  TextRange,
} from './tokenizer/types.ts';

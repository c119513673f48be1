import type { GenOptions } from './types.ts';

/** The C interface between a program and the host: module `env`, every pointer and length a u32, every result an i32. */

/** What a host function answers when it refuses. */
export const GuestError = {
  invalidPointer: -1,
  invalidArgument: -2,
  bufferTooSmall: -3,
  modelNotFound: -4,
  contextTooLong: -5,
  generationFailed: -6,
  busy: -7,
  notSupported: -8,
  // Of ABI v2.
  notPermitted: -9,
  noHandle: -10,
  limit: -11,
  budgetSpent: -12,
  deadEnd: -13,
  outOfTime: -14,
  nothingToWaitFor: -15,
  toolFailed: -16,
  toolNotFound: -17,
} as const;

export interface Signature {
  /** Value types in the binary format's letters: i = i32, I = i64, others by number. */
  readonly params: string;
  readonly results: string;
}

/** The types of a signature's parameters or results, one by one. */
export const valuesOf = (types: string): string[] => types.match(/<[^>]*>|./g) ?? [];

/** Host functions with their signatures. */
export const hostFunctions: ReadonlyMap<string, Signature> = new Map([
  ['realm_host_generate', { params: 'iiiiii', results: 'i' }],
  ['realm_stream_token', { params: 'ii', results: 'i' }],
  ['realm_encode_tokens', { params: 'iiiii', results: 'i' }],
  ['realm_decode_tokens', { params: 'iiiii', results: 'i' }],
  ['realm_get_model_metadata', { params: 'iii', results: 'i' }],
  // AssemblyScript's panic: message, file (UTF-16 strings), line, column.
  ['abort', { params: 'iiii', results: '' }],
]);

/** Functions of older programs that may be imported, so that those still load; each answers `notSupported`. */
export const unsupportedFunctions: ReadonlySet<string> = new Set([
  'realm_get_model_info',
  'realm_host_load_model_by_name',
  'realm_set_lora_adapter',
  'realm_embed_tokens',
  'realm_forward_layer',
  'realm_compute_logits',
  'candle_matmul',
  'memory64_load_layer',
  'memory64_stats',
]);

/** Functions that a program exports; the optional ones are used when they are there. */
export const guestFunctions: ReadonlyMap<string, Signature & { readonly required: boolean }> = new Map([
  ['realm_new', { params: '', results: 'i', required: true }],
  ['generate', { params: 'iiii', results: 'i', required: true }],
  ['realm_alloc', { params: 'i', results: 'i', required: false }],
  ['realm_on_token', { params: 'ii', results: 'i', required: false }],
  ['realm_auto_stream', { params: '', results: 'i', required: false }],
]);

/** Size of GenOptions in the guest's memory: C layout, so `seed` stands at 24 and four bytes before it are unused. */
export const OPTIONS_BYTES = 40;

/** Their number is a byte. */
export const MAX_STOP_TOKENS = 255;

/** Writes `options` at `view`'s start, and its stop tokens behind them; `stopTokensPtr` is that place's address. */
export function writeOptions(view: DataView, options: GenOptions, stopTokensPtr: number): void {
  view.setUint32(0, options.maxTokens, true);
  view.setFloat32(4, options.temperature, true);
  view.setFloat32(8, options.topP, true);
  view.setUint32(12, options.topK, true);
  view.setFloat32(16, options.repetitionPenalty, true);
  view.setUint32(20, 0, true);
  view.setBigUint64(24, options.seed, true);
  view.setUint32(32, options.stopTokens.length, true);
  view.setUint32(36, stopTokensPtr, true);
  options.stopTokens.forEach((token, index) => {
    view.setUint32(OPTIONS_BYTES + index * 4, token, true);
  });
}

/** The numbers of GenOptions as they stand in memory, and where its stop tokens are. */
export function readOptions(view: DataView): {
  options: Omit<GenOptions, 'stopTokens'>;
  stopTokenCount: number;
  stopTokensPtr: number;
} {
  return {
    options: {
      maxTokens: view.getUint32(0, true),
      temperature: view.getFloat32(4, true),
      topP: view.getFloat32(8, true),
      topK: view.getUint32(12, true),
      repetitionPenalty: view.getFloat32(16, true),
      seed: view.getBigUint64(24, true),
    },
    stopTokenCount: view.getUint8(32),
    stopTokensPtr: view.getUint32(36, true),
  };
}

/**
 * The options in `now` that differ from `given`. Floats are compared as the guest saw them (32 bits), so that one
 * it did not touch counts as unchanged and the request's own number is used.
 */
export function changedOptions(given: GenOptions, now: GenOptions): Partial<GenOptions> {
  const changed: { -readonly [Field in keyof GenOptions]?: GenOptions[Field] } = {};
  if (now.maxTokens !== given.maxTokens >>> 0) changed.maxTokens = now.maxTokens;
  if (now.temperature !== Math.fround(given.temperature)) changed.temperature = now.temperature;
  if (now.topP !== Math.fround(given.topP)) changed.topP = now.topP;
  if (now.topK !== given.topK >>> 0) changed.topK = now.topK;
  if (now.repetitionPenalty !== Math.fround(given.repetitionPenalty)) changed.repetitionPenalty = now.repetitionPenalty;
  if (now.seed !== BigInt.asUintN(64, given.seed)) changed.seed = now.seed;
  if (now.stopTokens.join() !== given.stopTokens.slice(0, MAX_STOP_TOKENS).join()) changed.stopTokens = now.stopTokens;
  return changed;
}

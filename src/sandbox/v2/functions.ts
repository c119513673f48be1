import type { Signature } from '../abi.ts';

const i32s = (count: number): Signature => ({ params: 'i'.repeat(count), results: 'i' });

/** Host functions of module `realm2`: all values are i32. */
export const sequenceFunctions: ReadonlyMap<string, Signature> = new Map([
  ['last_error', i32s(2)],
  ['model_find', i32s(2)],
  ['model_info', i32s(3)],
  ['seq_new', i32s(1)],
  ['seq_free', i32s(1)],
  ['seq_chat', i32s(3)],
  ['seq_text', i32s(4)],
  ['seq_push', i32s(3)],
  ['seq_fork', i32s(3)],
  ['seq_truncate', i32s(2)],
  ['seq_tokens', i32s(4)],
  ['seq_length', i32s(1)],
  ['seq_save', i32s(4)],
  ['seq_open', i32s(3)],
  ['seq_sampler', i32s(3)],
  ['seq_adapter', i32s(3)],
  ['seq_bias', i32s(4)],
  ['seq_mask', i32s(3)],
  ['constraint_new', i32s(4)],
  ['constraint_free', i32s(1)],
  ['seq_constrain', i32s(2)],
  ['submit', i32s(2)],
  ['wait', i32s(5)],
  ['cancel', i32s(1)],
  ['logits', i32s(3)],
  ['embed', i32s(5)],
  ['parser_new', i32s(3)],
  ['parser_feed', i32s(5)],
  ['parser_free', i32s(1)],
  ['decode', i32s(5)],
  ['emit', i32s(3)],
  ['tool', i32s(6)],
  ['budget', i32s(2)],
  ['random', i32s(2)],
  ['log', i32s(3)],
]);

/** What a program of ABI v2 exports. */
export const sequenceExports: ReadonlyMap<string, Signature & { readonly required: boolean }> = new Map([
  ['run', { ...i32s(2), required: true }],
  ['realm_alloc', { ...i32s(1), required: true }],
  ['realm_new', { ...i32s(0), required: false }],
]);

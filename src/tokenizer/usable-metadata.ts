import type { GgufValue, Metadata } from '../gguf/types.ts';
import { fillInTheMiddleKeys } from './end-of-generation.ts';

const PREFIX = 'tokenizer.ggml.';
const SPECIAL_IDS = [
  ...['bos', 'eos', 'eot', 'eom', 'unknown', 'seperator', 'padding', 'cls', 'mask'].map(name => `${name}_token_id`),
  ...fillInTheMiddleKeys,
];
/** Algorithms that need no scores. */
const UNSCORED = new Set(['gpt2', 'gemma4', 'bert']);
const FLAGS = ['add_bos_token', 'add_eos_token', 'add_space_prefix'];

/**
 * The metadata without what is wrong and not needed: files have special tokens that are not in the vocabulary, flags that
 * are no flags and scores that are no numbers, and llama.cpp reads them. `warn` hears of each.
 */
export function usableMetadata(metadata: Metadata, warn: (message: string) => void): Metadata {
  const usable = new Map(metadata);
  const ignore = (name: string, expected: string) => {
    const key = PREFIX + name;
    const value = usable.get(key);
    usable.delete(key);
    warn(`${key} is ${shown(value)}, not ${expected}: it is ignored`);
  };
  const tokens = metadata.get(`${PREFIX}tokens`);
  const size = Array.isArray(tokens) ? tokens.length : 0;
  for (const name of SPECIAL_IDS) {
    const value = metadata.get(PREFIX + name);
    if (value !== undefined && !isId(value, size)) ignore(name, `a token id below ${size}`);
  }
  for (const name of FLAGS) {
    const value = metadata.get(PREFIX + name);
    if (value !== undefined && typeof value !== 'boolean') ignore(name, 'true or false');
  }
  for (const name of ['scores', 'token_type']) {
    const list = metadata.get(PREFIX + name);
    if (ArrayBuffer.isView(list) && list.length > size) {
      usable.set(PREFIX + name, list.subarray(0, size));
      warn(`${PREFIX}${name} has ${list.length} values for ${size} tokens: the rest is ignored`);
    }
  }
  const scores = usable.get(`${PREFIX}scores`);
  if (scores instanceof Float32Array && !scores.every(Number.isFinite)) {
    usable.set(`${PREFIX}scores`, finiteScores(scores));
    warn(`${PREFIX}scores has values that are not finite: they count as the lowest`);
  }
  const isUnscored = UNSCORED.has(String(metadata.get(`${PREFIX}model`)));
  if (isUnscored && scores !== undefined && (!ArrayBuffer.isView(scores) || scores.length < size))
    ignore('scores', `${size} numbers`);
  return usable;
}

function isId(value: GgufValue, size: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < size;
}

function finiteScores(scores: Float32Array): Float32Array {
  const lowest = scores.reduce((least, score) => (Number.isFinite(score) ? Math.min(least, score) : least), 0);
  return scores.map(score => (Number.isFinite(score) ? score : lowest));
}

function shown(value: GgufValue | undefined): string {
  return typeof value === 'string'
    ? JSON.stringify(value.slice(0, 40))
    : typeof value === 'object'
      ? 'a list'
      : String(value);
}

/** The vocabulary of gpt-oss, made of the ranks of o200k as its files hold it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { decode } from 'gpt-tokenizer/encoding/o200k_harmony';
import type { Metadata } from '../../src/gguf/types.ts';
import { byteChar } from '../../src/tokenizer/byte-level.ts';
import { kinds } from '../../src/tokenizer/kinds.ts';

/** Tokens but the special ones. */
export const words = 199_998;
const size = 201_088;

/** The bytes of every token but the special ones, each as a character. */
const tokens = readFileSync(fileURLToPath(import.meta.resolve('gpt-tokenizer/data/o200k_base.tiktoken')), 'utf8')
  .trim()
  .split('\n')
  .map(line => [...Buffer.from(line.split(' ')[0]!, 'base64')].map(byteChar).join(''));

/** With every pair of tokens that makes a token as a merge, which is how a tokenizer by ranks becomes one by merges. */
export function harmonyMetadata(): Metadata {
  assert.equal(tokens.length, words);
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges = tokens.flatMap(token =>
    Array.from({ length: token.length - 1 }, (_, i) => [token.slice(0, i + 1), token.slice(i + 1)] as const)
      .filter(([left, right]) => ids.has(left) && ids.has(right))
      .sort(([a, b], [c, d]) => ids.get(a)! - ids.get(c)! || ids.get(b)! - ids.get(d)!)
      .map(pair => pair.join(' ')),
  );
  // As many as gpt-oss's own files have.
  assert.equal(merges.length, 446_189);
  const special = Array.from({ length: size - words }, (_, i) => decode([words + i]));
  return new Map<string, never>(
    Object.entries({
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.pre': 'gpt-4o',
      'tokenizer.ggml.tokens': [...tokens, ...special],
      'tokenizer.ggml.token_type': Int32Array.from({ length: size }, (_, id) =>
        id < words ? kinds.normal : kinds.control,
      ),
      'tokenizer.ggml.merges': merges,
      'tokenizer.ggml.bos_token_id': words,
      'tokenizer.ggml.eos_token_id': 200_002,
    }) as [string, never][],
  );
}

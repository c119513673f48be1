import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TextLogprob } from '../llm/types.ts';
import { completionFormat } from './format.ts';

const decoder = new TextDecoder();
const token = (...bytes: number[]) => ({ token: decoder.decode(Uint8Array.from(bytes)), bytes, logprob: -1 });

test('completion logprobs: tokens that are no whole characters have their bytes as names, and none hides another', () => {
  const top = [token(0xe2, 0x82), token(0xe2, 0x83), token(0x20, 0xe2), token(0xff), token(0x41), token(0x5c, 0xff)];
  const list: TextLogprob[] = [
    { ...token(0xe2, 0x82), offset: 0, top },
    { ...token(0xac), offset: 0, top: [] },
    {
      ...token(0x41),
      offset: 1,
      top: [
        { ...token(0x41), logprob: -0.25 },
        { ...token(0x41), logprob: -2 },
      ],
    },
  ];
  assert.deepEqual(completionFormat.logprobs(list), {
    tokens: ['bytes:\\xe2\\x82', 'bytes:\\xac', 'A'],
    token_logprobs: [-1, -1, -1],
    top_logprobs: [
      {
        'bytes:\\xe2\\x82': -1,
        'bytes:\\xe2\\x83': -1,
        'bytes: \\xe2': -1,
        'bytes:\\xff': -1,
        A: -1,
        'bytes:\\x5c\\xff': -1,
      },
      {},
      { A: -0.25 },
    ],
    text_offset: [0, 0, 1],
  });
});

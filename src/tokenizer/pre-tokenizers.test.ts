import assert from 'node:assert/strict';
import { test } from 'node:test';
import { preTokenizers } from './pre-tokenizers.ts';
import { split } from './split.ts';
import { finish } from './steps.ts';

/** By the patterns of the publishers' own files, which llama.cpp cuts more coarsely: it knows no case, and no end of a word. */
const cases: readonly [name: string, text: string, words: readonly string[]][] = [
  ['kimi-k2', 'getElementById HTTPServer', ['get', 'Element', 'By', 'Id', ' HTTPServer']],
  ['kimi-k2', "it'S 漢字かな 12345", ["it'S", ' ', '漢字', 'かな', ' ', '123', '45']],
  ['kimi-k2', 'e\u0301a漢ー々', ['e\u0301a', '漢', 'ー', '々']],
  ['cohere2moe', 'iPhone 1234567', ['i', 'Phone', ' ', '1', '234', '567']],
  ['cohere2moe', '1234a 0x12345_ 12345.', ['123', '4', 'a', ' ', '0', 'x', '123', '45', '_', ' ', '12', '345', '.']],
  ['tiny_aya', '１２３４ 𝟏𝟐𝟑𝟒', ['１', '２３４', ' ', '𝟏', '𝟐𝟑𝟒']],
  ['superbpe', '1234a', ['1', '234', 'a']],
];

for (const [name, text, words] of cases) {
  test(`${name}: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(finish(split(text, preTokenizers[name]!.splitters)), words);
  });
}

test('long runs of digits with a letter behind them take no longer', () => {
  const digits = '7'.repeat(200_000);
  const pieces = finish(split(`${digits}a`, preTokenizers.tiny_aya!.splitters));
  assert.equal(pieces.join(''), `${digits}a`);
});

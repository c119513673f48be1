import assert from 'node:assert/strict';
import { test } from 'node:test';
import { escapeText } from './escape.ts';

test('escapeText leaves plain text of any script alone', () => {
  assert.equal(escapeText('blk.0.attn_q.weight ▁Größe 東京 👍'), 'blk.0.attn_q.weight ▁Größe 東京 👍');
});

test('escapeText shows what a terminal or a log would act on', () => {
  assert.equal(escapeText('a\nb\r\u001b[31m\0'), 'a\\u{a}b\\u{d}\\u{1b}[31m\\u{0}');
  assert.equal(escapeText('\u202egpj.exe\u200b\u2028\u0085'), '\\u{202e}gpj.exe\\u{200b}\\u{2028}\\u{85}');
  assert.equal(escapeText('\ud800'), '\\u{d800}');
  assert.equal(escapeText('\\u{a}'), '\\\\u{a}');
});

test('escapeText cuts long text', () => {
  assert.equal(escapeText('x'.repeat(100_000)).length, 101);
});

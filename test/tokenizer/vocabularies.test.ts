import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { openGguf } from '../../src/gguf/open.ts';
import { createTokenizer } from '../../src/tokenizer/create.ts';
import type { Token, Tokenizer } from '../../src/tokenizer/types.ts';
import { llamaBundle } from '../support/llama-bundle.ts';

const folder = join(await llamaBundle(), 'models');
const files = globSync(join(folder, 'ggml-vocab-*.gguf')).sort();
const fixture = (name: string) => JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8'));
const texts: Record<string, string> = fixture('texts');
const tokens: Record<string, Record<string, { parsed: number[]; plain: number[] }>> = process.env.REALM_TEST_TOKENS
  ? JSON.parse(readFileSync(process.env.REALM_TEST_TOKENS, 'utf8'))
  : fixture('tokens');

async function open(file: string): Promise<Tokenizer> {
  const gguf = await openGguf(file);
  await gguf.close();
  return createTokenizer(gguf.metadata);
}

/** Every piece that a stream gives is whole text, and together they are the text. */
function checkStream(tokenizer: Tokenizer, ids: readonly Token[]): void {
  const stream = tokenizer.stream({ special: true, whole: true });
  const pieces = [...ids.map(id => stream.push(id)), stream.end()];
  assert.equal(pieces.join(''), tokenizer.decode(ids, { special: true }));
  // A lone surrogate would be half of a character.
  for (const piece of pieces) assert.ok(piece.isWellFormed(), JSON.stringify(piece));
}

assert.ok(files.length >= 19, `${files.length} vocabularies in llama.cpp's source`);

for (const file of files) {
  const name = basename(file, '.gguf').replace('ggml-vocab-', '');
  describe(name, () => {
    const opening = open(file);
    if (existsSync(`${file}.out`)) {
      test("llama.cpp's expected tokens", async () => {
        const tokenizer = await opening;
        const inputs = readFileSync(`${file}.inp`, 'utf8').split('\n__ggml_vocab_test__\n');
        const outputs = readFileSync(`${file}.out`, 'utf8').split('\n');
        assert.ok(inputs.length > 30);
        inputs.forEach((input, i) => {
          const expected = (outputs[i] ?? '').trim().split(/\s+/).filter(Boolean).map(Number);
          const ids = tokenizer.encode(input, { addSpecial: false, parseSpecial: false });
          assert.deepEqual(ids, expected, JSON.stringify(input));
          checkStream(tokenizer, ids);
        });
      });
    } else assert.ok(tokens[name], `no tokens of ${name} in the fixtures`);
    for (const [title, expected] of Object.entries(tokens[name] ?? {})) {
      test(`llama-tokenize's tokens: ${title}`, async () => {
        const tokenizer = await opening;
        for (const parseSpecial of [true, false]) {
          const ids = tokenizer.encode(texts[title] ?? '', { addSpecial: false, parseSpecial });
          assert.deepEqual(ids, parseSpecial ? expected.parsed : expected.plain, `special tokens ${parseSpecial}`);
          checkStream(tokenizer, ids);
        }
      });
    }
  });
}

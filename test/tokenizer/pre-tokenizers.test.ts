import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { createTokenizer } from '../../src/tokenizer/create.ts';
import { llamaBundle } from '../support/llama-bundle.ts';

/** What llama.cpp cuts more coarsely than the publisher's pattern: see src/tokenizer/pre-tokenizers.test.ts. */
const finer: Readonly<Record<string, string>> = {
  'kimi-k2': 'camel case',
  tiny_aya: 'camel case',
  cohere2moe: 'camel case',
};

/** Pre-tokenizers of families whose vocabularies are not at hand: under their names llama.cpp cuts the same words of another. */
const names = [
  'tekken',
  'pixtral',
  'dbrx',
  'glm4',
  'olmo',
  'smollm',
  'exaone4',
  'hunyuan',
  'hunyuan-dense',
  'seed-coder',
  'kimi-k2',
  'deepseek-v3',
  'joyai-llm',
  'tiny_aya',
  'cohere2moe',
];

const vocabulary = readFileSync(join(await llamaBundle(), 'models/ggml-vocab-gpt-2.gguf'));
const texts: Record<string, string> = JSON.parse(readFileSync(new URL('fixtures/texts.json', import.meta.url), 'utf8'));

const folder = mkdtempSync(join(tmpdir(), 'realm-pre-tokenizers-'));
after(() => rmSync(folder, { recursive: true }));

/** The vocabulary with another name in `tokenizer.ggml.pre`; what follows is without alignment, as it has no tensors. */
function named(name: string): Buffer {
  const key = 'tokenizer.ggml.pre';
  const at = vocabulary.indexOf(key) + key.length + 4;
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(name.length));
  const old = Number(vocabulary.readBigUInt64LE(at));
  return Buffer.concat([vocabulary.subarray(0, at), length, Buffer.from(name), vocabulary.subarray(at + 8 + old)]);
}

const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: LlamaLogLevel.disabled });
after(() => llama.dispose());

for (const name of names) {
  test(name, async () => {
    const bytes = named(name);
    const path = join(folder, `${name}.gguf`);
    writeFileSync(path, bytes);
    const theirs = await llama.loadModel({ modelPath: path, vocabOnly: true });
    const file = await openGguf(memoryReader(bytes, path));
    const ours = createTokenizer(file.metadata);
    for (const [title, text] of Object.entries(texts)) {
      if (finer[name] === title) continue;
      const ids = ours.encode(text, { addSpecial: false, parseSpecial: false });
      assert.deepEqual(ids, theirs.tokenize(text, false), title);
    }
    await theirs.dispose();
    rmSync(path);
  });
}

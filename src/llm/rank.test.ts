import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTokenizer } from '../tokenizer/create.ts';
import { finish } from '../tokenizer/steps.ts';
import { sentencePieceMetadata, wordPieceMetadata } from '../tokenizer/testing/vocabularies.ts';
import type { ModelText } from './model-text.ts';
import { encodeRanking } from './rank.ts';

const modelOf = (metadata: Parameters<typeof createTokenizer>[0], rest: Partial<ModelText> = {}): ModelText =>
  ({ tokenizer: createTokenizer(metadata), ...rest }) as ModelText;
const ask = (model: ModelText, query: string, document: string, context = 100): string => {
  const tokens = finish(encodeRanking(model, { query, document }, { context }, 'documents[0]'));
  return Array.from(tokens, token => model.tokenizer.text(token as never)).join(' ');
};

test('BERT reads a pair between its separators, RoBERTa with two of them in the middle', () => {
  assert.equal(ask(modelOf(wordPieceMetadata()), 'a', 'hello!'), '[CLS] ▁a [SEP] ▁hello ▁! [SEP]');
  const roberta = sentencePieceMetadata({
    'tokenizer.ggml.add_eos_token': true,
    'tokenizer.ggml.add_sep_token': true,
    'tokenizer.ggml.seperator_token_id': 2,
  });
  assert.equal(ask(modelOf(roberta), 'a', 'hello'), '<s> ▁a </s> </s> ▁hello </s>');
});

test('a template has its own control tokens, and the texts in it have none', () => {
  const model = modelOf(sentencePieceMetadata(), { rankTemplate: '<s>{query}a{document}</s>' });
  assert.equal(ask(model, 'a', '{query}'), ask(model, 'a', '{query}'));
  const tokens = ask(model, 'hello', '</s>').split(' ');
  assert.deepEqual([tokens.at(0), tokens.at(-1)], ['<s>', '</s>']);
  assert.equal(tokens.filter(token => token === '</s>').length, 1);
});

test('what is too long is refused by its name', () => {
  const error = { code: 'context_length_exceeded', param: 'documents[0]', message: /13 tokens .* context is 12/ };
  assert.throws(() => ask(modelOf(wordPieceMetadata()), 'a', 'a a a a a a a a a', 12), error);
});

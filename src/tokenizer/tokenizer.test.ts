import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Metadata } from '../gguf/types.ts';
import { createTokenizer } from './create.ts';
import {
  byteLevelMetadata,
  sentencePieceMetadata,
  unigramMetadata,
  wordPieceMetadata,
} from './testing/vocabularies.ts';
import type { Token, Tokenizer } from './types.ts';

const special = ['<|user|>', '<|end|>'];
const bytePair = createTokenizer(byteLevelMetadata({}, special));
const sentencePiece = createTokenizer(sentencePieceMetadata());
const plain = { addSpecial: false, parseSpecial: false };
const anyText = fc.string({ unit: 'grapheme', maxLength: 60 });

function streamed(tokenizer: Tokenizer, ids: readonly Token[]): string[] {
  const stream = tokenizer.stream({ whole: true });
  return [...ids.map(id => stream.push(id)), stream.end()];
}

describe('byte-level BPE', () => {
  test('decodes what it encoded, whole and as a stream that never splits a character', () => {
    fc.assert(
      fc.property(anyText, text => {
        const ids = bytePair.encode(text, plain);
        assert.equal(bytePair.decode(ids), text);
        const pieces = streamed(bytePair, ids);
        assert.equal(pieces.join(''), text);
        assert.ok(pieces.every(piece => piece.isWellFormed()));
      }),
    );
  });

  test('merges in the order of the list', () => {
    const tokens = (text: string) => bytePair.encode(text, plain).map(id => bytePair.text(id));
    assert.deepEqual(tokens('hello'), ['hello']);
    assert.deepEqual(tokens('hell'), ['hell']);
    assert.deepEqual(tokens('aaaaa'), ['aaaa', 'a']);
    assert.deepEqual(tokens('aaaaaaaa'), ['aaaaaaaa']);
  });

  test('special tokens are tokens when they are parsed, text when they are not', () => {
    const parsed = bytePair.encode('<|user|>hello<|end|>', { addSpecial: false });
    assert.deepEqual(
      parsed.map(id => bytePair.text(id)),
      ['<|user|>', 'hello', '<|end|>'],
    );
    assert.equal(bytePair.decode(parsed), 'hello');
    assert.equal(bytePair.decode(parsed, { special: true }), '<|user|>hello<|end|>');
    const text = bytePair.encode('<|user|>', plain);
    assert.equal(text.length, '<|user|>'.length);
    assert.equal(bytePair.decode(text), '<|user|>');
  });

  test('an incomplete character at the end of a stream becomes U+FFFD', () => {
    const ids = bytePair.encode('€', plain);
    const stream = bytePair.stream();
    assert.equal(
      ids
        .slice(0, -1)
        .map(id => stream.push(id))
        .join(''),
      '',
    );
    assert.equal(stream.end(), '\ufffd');
  });

  test('lone surrogates are encoded as U+FFFD', () => {
    assert.equal(bytePair.decode(bytePair.encode('a\ud800b', plain)), 'a\ufffdb');
  });
});

describe('SentencePiece', () => {
  test('decodes what it encoded; what is not in the vocabulary falls back to bytes', () => {
    fc.assert(
      fc.property(anyText, text => {
        const ids = sentencePiece.encode(text, plain);
        // ▁ stands for a space.
        assert.equal(sentencePiece.decode(ids), text.replaceAll('▁', ' '));
        assert.ok(streamed(sentencePiece, ids).every(piece => piece.isWellFormed()));
      }),
    );
  });

  test('a space goes before the text, the beginning-of-text token before that', () => {
    const ids = sentencePiece.encode('hello');
    assert.equal(ids[0], sentencePiece.bos);
    assert.deepEqual(
      ids.slice(1).map(id => sentencePiece.text(id)),
      ['▁hello'],
    );
  });
});

test('WordPiece strips accents, splits at punctuation, and knows [UNK]', () => {
  const tokenizer = createTokenizer(wordPieceMetadata());
  const names = tokenizer.encode('Héllo CAFÉ! xyz').map(id => tokenizer.text(id));
  assert.deepEqual(names, ['[CLS]', '▁hello', '▁cafe', '▁!', '[UNK]', '[SEP]']);
});

test('unigram takes the most likely pieces', () => {
  const tokenizer = createTokenizer(unigramMetadata());
  const names = tokenizer.encode('hello aa', plain).map(id => tokenizer.text(id));
  assert.deepEqual(names, ['▁hello', '▁', 'aa']);
});

describe('refusals', () => {
  const refuses = (metadata: Parameters<typeof createTokenizer>[0], code: string, message: RegExp) =>
    assert.throws(() => createTokenizer(metadata), { code, message });

  test('no tokenizer, an unknown algorithm, an unknown pre-tokenizer', () => {
    refuses(new Map(), 'tokenizer_unknown', /no tokenizer/);
    refuses(byteLevelMetadata({ 'tokenizer.ggml.model': 'rwkv' }), 'tokenizer_unknown', /'rwkv' is not known/);
    refuses(byteLevelMetadata({ 'tokenizer.ggml.pre': 'nonsense' }), 'tokenizer_unknown', /nonsense/);
  });

  test('a vocabulary that is none', () => {
    refuses(byteLevelMetadata({ 'tokenizer.ggml.tokens': ['a', 'a'] }), 'model_invalid', /twice/);
  });
});

test('the tokens for filling in the middle are found by their names, all three or none', () => {
  const names = ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>'] as const;
  const [prefix, suffix, middle] = names;
  assert.deepEqual(createTokenizer(byteLevelMetadata({}, [...names])).fillInTheMiddle, { prefix, suffix, middle });
  assert.equal(createTokenizer(byteLevelMetadata({}, [prefix, suffix])).fillInTheMiddle, undefined);
});

describe('what is wrong in a file and not needed is ignored with a warning', () => {
  const warnings = (metadata: Metadata) => {
    const heard: string[] = [];
    return { tokenizer: createTokenizer(metadata, warning => heard.push(warning)), heard };
  };

  test('special ids outside the vocabulary', () => {
    const names = ['bos', 'eos', 'eot', 'eom', 'unknown', 'seperator', 'fim_pre', 'fim_suf', 'fim_sep'];
    for (const value of [4294967295, 100_000, -1, 0.5, 'none', true, 2n ** 60n]) {
      const changes = Object.fromEntries(names.map(name => [`tokenizer.ggml.${name}_token_id`, value]));
      const { tokenizer, heard } = warnings(byteLevelMetadata(changes));
      assert.equal(tokenizer.decode(tokenizer.encode('hello')), 'hello');
      assert.equal(heard.length, names.length, heard.join('\n'));
    }
    const { tokenizer, heard } = warnings(sentencePieceMetadata({ 'tokenizer.ggml.eos_token_id': 4294967295 }));
    assert.equal(tokenizer.eos, 2, "the algorithm's own");
    assert.match(String(heard), /eos_token_id is 4294967295, not a token id below/);
  });

  test('scores that are no numbers', () => {
    const scores = Float32Array.from(sentencePieceMetadata().get('tokenizer.ggml.scores') as Float32Array);
    const expected = sentencePiece.encode('hello aa');
    scores.set([Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
    const { tokenizer, heard } = warnings(sentencePieceMetadata({ 'tokenizer.ggml.scores': scores }));
    assert.deepEqual(tokenizer.encode('hello aa'), expected);
    assert.equal(heard.length, 1);
    const unused = warnings(byteLevelMetadata({ 'tokenizer.ggml.scores': new Float32Array(3) }));
    assert.match(String(unused.heard), /scores/);
    const long = warnings(sentencePieceMetadata({ 'tokenizer.ggml.scores': new Float32Array(1000) }));
    assert.match(String(long.heard), /scores has 1000 values for \d+ tokens/);
  });

  test('flags that are no flags', () => {
    const { heard } = warnings(byteLevelMetadata({ 'tokenizer.ggml.add_bos_token': 'yes' }));
    assert.match(String(heard), /add_bos_token is "yes", not true or false/);
  });
});

for (const [name, tokenizer] of Object.entries({ bytePair, sentencePiece })) {
  // Quadratic merging would take minutes.
  test(`${name}: a megabyte of one letter`, { timeout: 30_000 }, () => {
    const text = 'a'.repeat(1 << 20);
    assert.equal(tokenizer.decode(tokenizer.encode(text, plain)), text);
  });
}

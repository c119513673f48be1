/** Slices, masks kept and counts left out change no mask: each is that of trying every token. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { asRealmError } from '../errors.ts';
import type { Token } from '../tokenizer/types.ts';
import { type ConstraintState, compile } from './constraint.ts';
import { GrammarBuilder } from './grammar-builder.ts';
import type { RegexId } from './regex.ts';
import type { RegexStore } from './regexes.ts';
import { maskWords, vocabularyOf } from './vocabulary.ts';

const encoder = new TextEncoder();
const texts = [
  ...[
    '"',
    '\\',
    'a',
    'b',
    'k',
    'key',
    'é',
    '😀',
    ',',
    ':',
    ' ',
    '\n',
    '{',
    '}',
    '"a',
    '":',
    '",',
    '","key":',
    '\\n',
    'a\\',
  ],
  ...[
    'aa',
    'ab',
    'éa',
    'aaaaaaaaaaaa',
    'a'.repeat(20),
    'b'.repeat(40),
    `${'a'.repeat(18)}"`,
    `"${'b'.repeat(9)}`,
    'a"',
  ],
  ...['K', '-', '--', ' a', ' key', ' -', ' é', 'kéy', 'a key', 'éé', ' éé', 'é😀', 'ééééé', 'kkk', ' kkkk', 'kkkkkk'],
];
const bytes = [
  ...texts.map(text => encoder.encode(text)),
  ...[0xc3, 0xa9, 0xf0, 0x9f, 0x80].map(byte => Uint8Array.of(byte)),
  Uint8Array.of(97, 0xc3),
  Uint8Array.of(0xa9, 34),
  new Uint8Array(),
];
const end = (bytes.length - 1) as Token;
const vocabulary = vocabularyOf({
  vocabSize: bytes.length,
  endOfGeneration: new Set([end]),
  bytes: token => bytes[token],
});

const char = (r: RegexStore): RegexId =>
  r.or([
    r.notChars([
      [0, 31],
      [34, 34],
      [92, 92],
    ]),
    r.concat([
      r.literal('\\'),
      r.bytes([
        [110, 110],
        [34, 34],
      ]),
    ]),
  ]);
const quoted = (r: RegexStore, inner: RegexId): RegexId => r.concat([r.literal('"'), inner, r.literal('"')]);

type Make = (regexes: RegexStore) => RegexId;
const string = fc.oneof(
  fc.tuple(fc.nat(60), fc.option(fc.nat(60), { nil: undefined })).map(([min, more]): Make => {
    const max = more === undefined ? undefined : min + more;
    return r => quoted(r, r.repeat(char(r), min, max));
  }),
  fc.tuple(fc.nat(150), fc.nat(2), fc.constantFrom('any', 'ends', 'long end')).map(([max, min, kind]): Make => {
    return r => {
      const [a, b] = [r.repeat(r.literal('a'), 1), r.repeat(r.or([r.literal('b'), r.literal('é'), r.literal(' ')]), 1)];
      const more = r.repeat(r.concat([a, b]), 0, 40);
      const end = { any: r.empty, ends: r.literal('key'), 'long end': r.literal('k'.repeat(30)) }[kind];
      return quoted(r, r.count(r.concat([more, end]), char(r), min, min + max));
    };
  }),
  fc.tuple(fc.nat(7), fc.constantFrom('letters', 'text', 'words')).map(([max, kind]): Make => {
    return r => {
      const letter = r.chars([
        [65, 90],
        [97, 122],
      ]);
      const text = r.chars([
        [0x20, 0x21],
        [0x23, 0x5b],
        [0x5d, 0x10ffff],
      ]);
      const word = r.concat([letter, r.repeat(letter, 0, 2), r.literal(' ')]);
      return r.repeat({ letters: letter, text, words: word }[kind], 0, max === 7 ? undefined : max);
    };
  }),
  fc.constantFrom<Make>(
    r => quoted(r, r.repeat(r.chars([[97, 98]]), 0)),
    r => r.and([quoted(r, r.repeat(char(r), 0)), r.not(r.or([r.literal('"a"'), r.literal('"key"')]))]),
    r => r.and([quoted(r, r.repeat(char(r), 0, 20)), r.not(r.or([r.literal('"a"'), r.literal('"key"')]))]),
    r => r.and([quoted(r, r.repeat(char(r), 0)), r.not(quoted(r, r.repeat(r.chars([[97, 97]]), 0)))]),
    r => r.and([r.repeat(char(r), 0), r.not(r.repeat(r.notChars([]), 0, 30))]),
    r => r.and([r.repeat(r.notChars([]), 0), r.repeat(r.or([char(r), r.bytes([[128, 255]])]), 0, 3)]),
    r => r.concat([r.repeat(r.literal('a'), 0, 3), r.repeat(char(r), 0), r.literal('\n')]),
  ),
);

function masked(state: ConstraintState): number[] {
  const mask = new Uint32Array(maskWords(vocabulary.size));
  try {
    state.mask(mask);
  } catch (error) {
    // This vocabulary has few bytes by themselves.
    assert.equal(asRealmError(error).code, 'constraint_dead_end');
  }
  return bytes.flatMap((_, token) => ((mask[token >> 5] >>> (token & 31)) & 1 ? [token] : []));
}

describe('masks', () => {
  it('are those of trying every token', () => {
    fc.assert(
      fc.property(
        fc.array(string, { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(1000), { maxLength: 12 }),
        (all, choices) => {
          const builder = new GrammarBuilder();
          const { regexes } = builder;
          const rule = builder.declare('start');
          const lexemes = all.map((make, index) => builder.lexeme(`string${index}`, make(regexes)));
          const comma = builder.lexeme('comma', regexes.literal(','));
          builder.define(rule, [[], ...lexemes.map(lexeme => [lexeme, comma, builder.use(rule)])]);
          const state = compile(builder.build(rule), regexes, vocabulary).start();
          for (const choice of choices) {
            const tokens = masked(state);
            const allowed = bytes.flatMap((_, token) => (state.allows(token as Token) ? [token] : []));
            assert.deepEqual(tokens, allowed);
            const going = tokens.filter(token => token !== end);
            if (going.length === 0) break;
            assert.ok(state.accept(going[choice % going.length] as Token));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('do not change when everything kept is forgotten on the way', () => {
    const builder = new GrammarBuilder();
    const rule = builder.declare('start');
    const { regexes } = builder;
    builder.define(rule, [[builder.lexeme('string', quoted(regexes, regexes.repeat(char(regexes), 0, 500)))]]);
    const constraint = compile(builder.build(rule), regexes, vocabulary);
    const [kept, forgetting] = [constraint.start(), constraint.start()];
    const tokens = ['"', 'key', 'é', 'a'.repeat(20), 'a\\', '"', 'b', '"'].map(text => texts.indexOf(text) as Token);
    for (const token of tokens) {
      const before = masked(kept);
      constraint.automaton.forget();
      assert.deepEqual(masked(forgetting), before);
      assert.ok(kept.accept(token) && forgetting.accept(token));
    }
    assert.ok(kept.isAccepting && forgetting.isAccepting);
  });
});

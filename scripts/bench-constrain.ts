/** What masks take: `node scripts/bench-constrain.ts MODEL.gguf`, the vocabulary of a model on a JSON grammar, one thread. */
import { compile } from '../src/constrain/constraint.ts';
import type { GrammarSymbol } from '../src/constrain/grammar.ts';
import { GrammarBuilder } from '../src/constrain/grammar-builder.ts';
import type { RegexId } from '../src/constrain/regex.ts';
import { maskWords, vocabularyOf } from '../src/constrain/vocabulary.ts';
import { RealmError } from '../src/errors.ts';
import { openGguf } from '../src/gguf/open.ts';
import { createTokenizer } from '../src/tokenizer/create.ts';

const [model] = process.argv.slice(2);
if (!model) throw new RealmError('usage', 'usage: node scripts/bench-constrain.ts MODEL.gguf [--slow]');
const file = await openGguf(model);
const tokenizer = createTokenizer(file.metadata);
await file.close();
const began = performance.now();
const vocabulary = vocabularyOf(tokenizer);

console.log(
  `vocabulary: ${vocabulary.size} tokens, ${vocabulary.trie.nodes} nodes (${vocabulary.slice.rest.nodes} without its slice) in ${(performance.now() - began).toFixed(0)} ms`,
);

/** A grammar's maker, and texts that it makes. */
type Case = readonly [name: string, make: (builder: GrammarBuilder) => GrammarSymbol, texts: readonly string[]];

interface Json {
  readonly char: RegexId;
  string(min: number, max?: number): RegexId;
  readonly number: GrammarSymbol;
  readonly space: GrammarSymbol;
  text(text: string): GrammarSymbol;
  readonly value: GrammarSymbol;
}

function json(builder: GrammarBuilder): Json {
  const r = builder.regexes;
  const escaped = r.concat([
    r.literal('\\'),
    r.or([
      r.chars([...'"\\/bfnrt'].map(char => [char.charCodeAt(0), char.charCodeAt(0)])),
      r.concat([
        r.literal('u'),
        r.repeat(
          r.chars([
            [48, 57],
            [65, 70],
            [97, 102],
          ]),
          4,
          4,
        ),
      ]),
    ]),
  ]);
  const char = r.or([
    r.notChars([
      [0, 31],
      [34, 34],
      [92, 92],
    ]),
    escaped,
  ]);
  const quote = r.literal('"');
  const digit = r.chars([[48, 57]]);
  const string = (min: number, max?: number): RegexId => r.concat([quote, r.repeat(char, min, max), quote]);
  const integer = r.or([r.literal('0'), r.concat([r.chars([[49, 57]]), r.repeat(digit, 0, 14)])]);
  const number = builder.lexeme(
    'number',
    r.concat([
      r.repeat(r.literal('-'), 0, 1),
      integer,
      r.repeat(r.concat([r.literal('.'), r.repeat(digit, 1, 15)]), 0, 1),
    ]),
  );
  const space = builder.lexeme(
    'space',
    r.repeat(
      r.chars([
        [9, 10],
        [13, 13],
        [32, 32],
      ]),
      0,
      20,
    ),
  );
  const text = (value: string): GrammarSymbol => builder.lexeme(value, r.literal(value));
  const valueRule = builder.declare('value');
  const value = builder.use(valueRule);
  const key = builder.lexeme('string', string(0));
  const list = (name: string, open: string, item: readonly GrammarSymbol[], close: string): GrammarSymbol => {
    const items = builder.declare(name);
    builder.define(items, [
      [...item, space],
      [...item, space, text(','), space, builder.use(items)],
    ]);
    return builder.rule(`${name}s`, [
      [text(open), space, text(close)],
      [text(open), space, builder.use(items), text(close)],
    ]);
  };
  const array = list('item', '[', [value], ']');
  const object = list('member', '{', [key, space, text(':'), space, value], '}');
  builder.define(valueRule, [[key], [number], [array], [object], [text('true')], [text('false')], [text('null')]]);
  return { char, string, number, space, text, value };
}

/** An object of these members in order, all required; with `more`, any others behind them. */
function object(
  builder: GrammarBuilder,
  members: Readonly<Record<string, GrammarSymbol>>,
  more = false,
): GrammarSymbol {
  const { text, space, value, string } = json(builder);
  const r = builder.regexes;
  const symbols = Object.entries(members).flatMap(([name, member], index) => [
    ...(index > 0 ? [text(','), space] : []),
    text(`"${name}"`),
    space,
    text(':'),
    space,
    member,
    space,
  ]);
  const other = r.and([string(0), r.not(r.or(Object.keys(members).map(name => r.literal(`"${name}"`))))]);
  const others = builder.declare('others');
  const one = [text(','), space, builder.lexeme('other', other), space, text(':'), space, value, space];
  builder.define(others, [[], ...(more ? [[...one, builder.use(others)]] : [])]);
  return builder.rule('object', [[text('{'), space, ...symbols, builder.use(others), text('}')]]);
}

const prose =
  'The quick brown fox jumps over the lazy dog, and goes on: “naïve” café — 日本語のテキスト, 1234 and more \\"quoted\\" words.\\n';
const document = {
  name: prose.replaceAll('\\', ''),
  list: [1, -2.5, 300000, true, null, { a: { b: { c: ['x', 'y', prose.slice(0, 40)] } } }],
  address: { street: 'Main street 12', city: 'Zürich', zip: 8001 },
};
const cases: readonly Case[] = [
  ['any JSON', builder => json(builder).value, [JSON.stringify(document), JSON.stringify(document, null, 2)]],
  [
    'object, strict',
    builder => {
      const { string, number } = json(builder);
      const word = builder.lexeme('word', string(1, 65_536));
      const short = builder.lexeme('short', string(0, 40));
      return object(builder, {
        name: word,
        title: short,
        age: number,
        inner: object(builder, { first: word, last: short }),
      });
    },
    [
      JSON.stringify({
        name: 'Ada Lovelace the first',
        title: 'Countess of somewhere',
        age: 36,
        inner: { first: 'A', last: 'B' },
      }),
    ],
  ],
  [
    'object, more keys',
    builder =>
      object(builder, { name: builder.lexeme('string', json(builder).string(0)), street: json(builder).number }, true),
    [JSON.stringify({ name: 'Ada', street: 7, nickname: 'x', streets: [1, 2], 'something else': { a: 'b' } })],
  ],
  [
    'pattern',
    builder => {
      const r = builder.regexes;
      const lower = r.repeat(r.chars([[97, 122]]), 1);
      return builder.lexeme(
        'pattern',
        r.concat([r.literal('"'), lower, r.repeat(r.concat([r.literal('-'), lower]), 0), r.literal('"')]),
      );
    },
    ['"the-quick-brown-fox-jumps-over-the-lazy-dog-and-goes-on"'],
  ],
];

interface Time {
  us: number;
  /** Configurations that were made for it. */
  readonly made: number;
  readonly at: string;
}

/** Masks along the texts. The grammar is compiled anew: nothing is known of it yet. */
function run([name, make, texts]: Case): { compiled: number; times: Time[] } {
  const start = performance.now();
  const builder = new GrammarBuilder();
  const rule = builder.declare('start');
  builder.define(rule, [[make(builder)]]);
  const constraint = compile(builder.build(rule), builder.regexes, vocabulary);
  const compiled = performance.now() - start;
  const mask = new Uint32Array(maskWords(vocabulary.size));
  const times: Time[] = [];
  for (const text of texts) {
    const state = constraint.start();
    let done = '';
    for (const token of tokenizer.encode(text, { addSpecial: false, parseSpecial: false })) {
      const size = constraint.automaton.size;
      const before = performance.now();
      state.mask(mask);
      const us = (performance.now() - before) * 1000;
      times.push({ us, made: constraint.automaton.size - size, at: done });
      const allowed = (mask[token >> 5]! >>> (token & 31)) & 1;
      if (!allowed || !state.accept(token)) throw new Error(`${name}: not allowed behind ${done}`);
      done += tokenizer.text(token);
    }
    if (!state.isAccepting) throw new Error(`${name}: may not end behind ${done}`);
  }
  return { compiled, times };
}

/** The best of some runs, mask by mask: others use the machine too. */
const rounds = 8;

for (const one of cases) {
  const runs = Array.from({ length: rounds }, () => run(one));
  const compiled = Math.min(...runs.map(({ compiled }) => compiled));
  const times = runs[0]!.times.map((time, index) => ({
    ...time,
    us: Math.min(...runs.map(({ times }) => times[index]!.us)),
  }));
  times.sort((a, b) => a.us - b.us);
  const at = (part: number): string =>
    times[Math.min(Math.floor(times.length * part), times.length - 1)]!.us.toFixed(0);
  console.log(
    `${one[0]}: compiled in ${compiled.toFixed(1)} ms, ${times.length} masks: ` +
      `p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, max ${at(1)} µs`,
  );
  if (process.argv.includes('--slow')) {
    for (const { us, made, at: done } of times.slice(-8)) {
      console.log(`  ${us.toFixed(0)} µs, ${made} made, behind …${done.slice(-40)}`);
    }
  }
}

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LineCounter } from 'yaml';
import { RealmError } from '../../errors.ts';
import { Mistakes } from '../document/mistakes.ts';
import type { JsonSchema } from '../schema/types.ts';
import { Expression } from './expression.ts';
import { CelTypes } from './types.ts';
import { toCel } from './values.ts';

function expression(source: string): { made: Expression; mistakes: Mistakes } {
  const mistakes = new Mistakes('p.yaml', new LineCounter());
  return { made: new Expression({ value: source, at: index => index }, mistakes), mistakes };
}

function evaluate(source: string, values: Record<string, unknown> = {}): unknown {
  const { made, mistakes } = expression(source);
  mistakes.check();
  return made.evaluate(name => toCel(values[name], true));
}

/** The type of an expression as a schema, or what is wrong with it. */
function check(source: string, names: Record<string, JsonSchema> = {}, wanted?: 'bool' | 'list'): unknown {
  const { made, mistakes } = expression(source);
  const schema = made.check(new Map(Object.entries(names)), new CelTypes(), wanted);
  try {
    mistakes.check();
    return schema;
  } catch (error) {
    return (error as Error).message.replace(/^p\.yaml:1:/, '');
  }
}

const ticket: JsonSchema = {
  type: 'object',
  properties: {
    text: { type: 'string' },
    tags: { type: 'array', items: { type: 'string' } },
    size: { type: 'number' },
  },
};
const names = {
  input: ticket,
  tickets: { type: 'array', items: ticket },
  kind: { enum: ['bug', 'question'] },
} as const;

describe('expressions', () => {
  it('are computed on values of JSON', () => {
    assert.equal(evaluate('a + 1', { a: 2 }), 3);
    assert.deepEqual(evaluate('{"x": a.map(b, b.c), "n": size(a)}', { a: [{ c: 1.5 }, { c: 'y' }] }), {
      x: [1.5, 'y'],
      n: 2,
    });
    assert.equal(evaluate('a == null', { a: { b: 1 } }), false);
    assert.equal(evaluate('a == null', { a: [1] }), false);
    assert.equal(evaluate('a != null && a.b == "x"', { a: null }), false);
    assert.equal(evaluate('has(a.b) ? a.b : 7', { a: {} }), 7);
    assert.equal(evaluate('a.filter(x, x > 1).all(x, x > 2)', { a: [1, 3, 4] }), true);
    assert.equal(evaluate('a.exists(x, x.startsWith("q")) && b in a', { a: ['qq', 'r'], b: 'r' }), true);
    assert.equal(evaluate('a.matches("^[a-f]+$") && !a.matches("x|^$")', { a: 'beef' }), true);
    assert.equal(evaluate('size("a😀é")'), 3);
    assert.equal(evaluate('type(a) == string && type(a) != int', { a: 'x' }), true);
    assert.equal(evaluate('string(timestamp("2024-05-06T07:08:09Z").getFullYear())'), '2024');
  });

  it('name what they use', () => {
    const { made } = expression('a.b + [c, d].map(x, x + e)[0] + {"f": g}.f + a.h');
    assert.deepEqual(
      [...made.references],
      [
        ['a', 0],
        ['c', 7],
        ['d', 10],
        ['e', 24],
        ['g', 38],
      ],
    );
  });

  it('fail by name when they are computed', () => {
    const failure = (message: RegExp) => (error: unknown) =>
      error instanceof RealmError && error.code === 'pipeline_failed' && message.test(error.message);
    assert.throws(() => evaluate('a.b', { a: {} }), failure(/'a.b' fails: No such key: b/));
    assert.throws(() => evaluate('a + 1', { a: 'x' }), failure(/no such overload/));
    assert.throws(() => evaluate('a / 0', { a: 1 }), failure(/division by zero/i));
    assert.throws(() => evaluate('9007199254740993'), failure(/beyond the integers/));
    assert.throws(() => evaluate('a.constructor', { a: {} }), failure(/No such key/));
  });

  it('have types', () => {
    assert.deepEqual(check('input.text', names), { type: 'string' });
    assert.deepEqual(check('tickets.map(x, x.tags)', names), {
      type: 'array',
      items: { type: 'array', items: { type: 'string' } },
    });
    assert.deepEqual(check('tickets[0]', names), ticket);
    assert.deepEqual(check('tickets == null ? [] : tickets', names), { type: 'array', items: ticket });
    assert.deepEqual(check('input == null ? size(kind) : 1', names), { type: 'integer' });
    assert.deepEqual(check('{"a": input.text}', names), {
      type: 'object',
      additionalProperties: { type: 'string' },
    });
    assert.equal(check('other.anything + 1', { other: true }) !== undefined, true);
  });

  it('are told what is wrong, where, and what may be meant', () => {
    const cases: [string, RegExp, ('bool' | 'list')?][] = [
      ['input.txt', /^6: there is no 'txt' here; did you mean 'text'\?$/],
      ['has(input.txt)', /^10: there is no 'txt' here; did you mean 'text'\?$/],
      ['tickets.map(x, x.tgas)', /^17: there is no 'tgas' here; did you mean 'tags'\?$/],
      ['kind == 3', /no such overload: string == int$/],
      ['input.size == 1', /double == int; write 1.0 for 1/],
      ['tickets.mapp(x, x)', /^1: there is no function 'mapp'; did you mean 'map'\?$/],
      ['siez(tickets)', /there is no function 'siez'; did you mean 'size'\?/],
      ['kind', /must be a bool, and is a string/, 'bool'],
      ['kind', /must be a list, and is a string/, 'list'],
      ['1 +', /^3: the expression is no CEL: Unexpected token: EOF/],
      ['true ? 1 : "a"', /dyn\(…\) around one/],
      ['kind.matches(input.text)', /takes one pattern, written out/],
      ['kind.matches("(")', /the pattern cannot be used/],
      ['b"x"', /bytes is no value of JSON/],
      ['cel.bind(x, 1, x)', /there is no function 'bind'/],
      ['tickets.map(a, tickets.map(b, tickets.map(c, c)))', /no more than 2 macros/],
    ];
    for (const [source, message, wanted] of cases) assert.match(String(check(source, names, wanted)), message, source);
  });

  it('are ended when they cost too much', () => {
    const items = Array.from({ length: 256 }, (_, i) => i);
    const long = 'a'.repeat(2 ** 20);
    const bombs: [string, Record<string, unknown>][] = [
      ['l.map(x, l.map(y, l))', { l: items }],
      ['l.all(x, l.all(y, x + y < 1000 && x - y < 1000 && x * y >= 0))', { l: items }],
      ['l.map(x, x)', { l: [...items, 1] }],
      ['l.all(x, l.exists(y, a == b && a == b && y > 1000))', { l: items, a: [long], b: [long] }],
      [`[s]${'.map(x, x + x)'.repeat(30)}`, { s: 'aaaaaaaa' }],
      ['s.contains(t) || s.lastIndexOf(t) > 0', { s: long, t: `b${'a'.repeat(5000)}` }],
      ['l.map(x, s.split(""))', { l: items, s: long }],
      ['l.map(x, s.matches("(a+)+$") && s.matches("(a|aa)+b"))', { l: items, s: long }],
      ['l.map(x, s.lowerAscii())', { l: items, s: long }],
      [`${'['.repeat(40)}s${']'.repeat(40)} == ${'['.repeat(40)}s${']'.repeat(40)}`, { s: Array(400_000).fill('a') }],
    ];
    for (const [source, values] of bombs) {
      const { made, mistakes } = expression(source);
      mistakes.check();
      const ready = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toCel(value, true)]));
      const before = performance.now();
      assert.throws(
        () => made.evaluate(name => ready[name]),
        (error: unknown) =>
          error instanceof RealmError &&
          error.code === 'pipeline_failed' &&
          /takes more than|goes through/.test(error.message),
        source,
      );
      const took = performance.now() - before;
      if (process.env.SHOW) console.log(took.toFixed(1), source.slice(0, 60));
      assert.ok(took < 1000, `${source} took ${took} ms`);
    }
  });

  it('are none the worse for having failed', () => {
    const { made } = expression('a.map(x, b.map(y, x / y))');
    const values = (b: unknown[]) => (name: string) => toCel({ a: [6, 8], b }[name], true);
    for (let i = 0; i < 3; i++) {
      assert.throws(() => made.evaluate(values([1, 0])), /division by zero/i);
      assert.throws(() => made.evaluate(values(Array(300).fill(1))), /goes through/);
      assert.deepEqual(made.evaluate(values([1, 2])), [
        [6, 3],
        [8, 4],
      ]);
    }
  });

  it('refuse what is too large or too deep to read', () => {
    for (const source of [
      '('.repeat(200) + ')'.repeat(200),
      `[${'1,'.repeat(300)}1]`,
      '1+'.repeat(2000),
      'x'.repeat(20_000),
    ]) {
      assert.match(String(check(source)), /Exceeded|more than|no CEL/, source.slice(0, 20));
    }
  });
});

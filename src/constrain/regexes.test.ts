import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Derivatives, match } from './derivatives.ts';
import type { RegexId } from './regex.ts';
import { RegexStore } from './regexes.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A regular expression, as JavaScript's source and as we make it. */
interface Both {
  readonly source: string;
  make(regexes: RegexStore): RegexId;
}

const chars = fc.constantFrom<Both>(
  { source: 'a', make: r => r.literal('a') },
  { source: 'ab', make: r => r.literal('ab') },
  { source: 'é', make: r => r.literal('é') },
  { source: '[a-c]', make: r => r.chars([[97, 99]]) },
  {
    source: '[b-é😀]',
    make: r =>
      r.chars([
        [98, 0xe9],
        [0x1f600, 0x1f600],
      ]),
  },
  {
    source: '[^aé€]',
    make: r =>
      r.notChars([
        [97, 97],
        [0xe9, 0xe9],
        [0x20ac, 0x20ac],
      ]),
  },
  { source: '', make: r => r.empty },
);

const { regex } = fc.letrec<{ regex: Both }>(tie => ({
  regex: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    chars,
    fc.array(tie('regex'), { minLength: 1, maxLength: 3 }).map(parts => ({
      source: parts.map(part => part.source).join(''),
      make: (r: RegexStore) => r.concat(parts.map(part => part.make(r))),
    })),
    fc.array(tie('regex'), { minLength: 1, maxLength: 3 }).map(parts => ({
      source: `(?:${parts.map(part => part.source).join('|')})`,
      make: (r: RegexStore) => r.or(parts.map(part => part.make(r))),
    })),
    fc.tuple(tie('regex'), fc.nat(2), fc.option(fc.nat(2), { nil: undefined })).map(([part, min, more]) => ({
      source: `(?:${part.source}){${min},${more === undefined ? '' : min + more}}`,
      make: (r: RegexStore) => r.repeat(part.make(r), min, more === undefined ? undefined : min + more),
    })),
  ),
}));

const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é', '€', '😀', 'z'), maxLength: 7 });
const matches = ({ source }: Both, text: string): boolean => new RegExp(`^(?:${source})$`, 'u').test(text);

describe('regular expressions by derivatives', () => {
  it('match what JavaScript’s match', () => {
    fc.assert(
      fc.property(regex, fc.array(texts, { minLength: 1, maxLength: 8 }), (both, samples) => {
        const regexes = new RegexStore();
        const id = both.make(regexes);
        for (const text of samples) assert.equal(match(regexes, id, bytes(text)), matches(both, text), text);
      }),
      { numRuns: 500 },
    );
  });

  it('know intersection, union and complement', () => {
    fc.assert(
      fc.property(regex, regex, texts, (a, b, text) => {
        const regexes = new RegexStore();
        const [x, y] = [a.make(regexes), b.make(regexes)];
        const derivatives = new Derivatives(regexes);
        const [inA, inB] = [matches(a, text), matches(b, text)];
        assert.equal(derivatives.match(regexes.and([x, y]), bytes(text)), inA && inB);
        assert.equal(derivatives.match(regexes.or([x, y]), bytes(text)), inA || inB);
        const not = regexes.not(x);
        assert.equal(match(regexes, regexes.and([y, not]), bytes(text)), inB && !inA);
      }),
      { numRuns: 300 },
    );
  });

  it('find out whether anything matches', () => {
    const r = new RegexStore();
    const [a, ab] = [r.repeat(r.literal('a'), 0), r.repeat(r.chars([[97, 98]]), 0)];
    const alive = (id: RegexId): boolean => new Derivatives(r).isAlive(id);
    assert.equal(alive(r.and([ab, r.not(a)])), true);
    assert.equal(alive(r.and([a, r.not(ab)])), false);
    assert.equal(alive(r.concat([r.literal('x'), r.and([a, r.not(ab)])])), false);
    assert.equal(alive(r.and([r.repeat(ab, 0), r.concat([a, r.literal('c')])])), false);
  });

  it('are equal where structure is', () => {
    const r = new RegexStore();
    const [a, b, c] = ['aa', 'bb', 'cc'].map(text => r.literal(text));
    assert.equal(r.or([a, r.or([b, c])]), r.or([c, a, b, a]));
    assert.equal(r.and([a, r.and([b, c])]), r.and([c, b, a]));
    assert.equal(r.complement(r.complement(a)), a);
    assert.equal(r.chars([[97, 98]]), r.or([r.literal('a'), r.literal('b')]));
    assert.equal(r.or([r.repeat(a, 0, 3), r.repeat(a, 2, 7)]), r.repeat(a, 0, 7));
  });

  it('take all characters but surrogates, and only whole ones', () => {
    const r = new RegexStore();
    const any = r.notChars([]);
    const derivatives = new Derivatives(r);
    for (let char = 0; char <= 0x10ffff; char += char < 0x900 || (char > 0xd700 && char < 0xe100) ? 1 : 251) {
      if (char < 0xd800 || char > 0xdfff) assert.ok(derivatives.match(any, bytes(String.fromCodePoint(char))));
    }
    for (const bad of [
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
      [0xe0, 0x80, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0x80],
      [0xc3],
    ]) {
      assert.ok(!derivatives.match(any, Uint8Array.from(bad)), String(bad));
      assert.ok(!derivatives.match(r.not(r.nothing), Uint8Array.from(bad)), String(bad));
    }
  });

  it('count without unrolling', () => {
    const r = new RegexStore();
    const before = r.units;
    const many = r.repeat(r.notChars([[34, 34]]), 0, 65_536);
    assert.ok(r.units - before < 40);
    assert.ok(match(r, many, bytes('é'.repeat(1000))));
  });

  it('refuse what is too large or too deep', () => {
    const r = new RegexStore();
    assert.throws(
      () => {
        let deep = r.literal('a');
        for (let level = 0; level < 5000; level++) deep = r.or([r.pair(deep, r.literal('b')), r.empty]);
      },
      { code: 'grammar_limit' },
    );
    r.allow(100);
    assert.throws(() => r.literal(Array.from({ length: 200 }, (_, index) => index).join()), { code: 'grammar_limit' });
  });
});

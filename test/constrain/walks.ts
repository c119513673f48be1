/** Random walks over what masks allow, and the judge of what comes out. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Constraint } from '../../src/constrain/constraint.ts';
import { maskWords } from '../../src/constrain/vocabulary.ts';
import type { Token } from '../../src/tokenizer/types.ts';

/** Formats are asserted by the grammar and left to it. */
export function validator(schema: object | boolean): (value: unknown) => boolean {
  return new Ajv2020({ strict: false, validateFormats: false, logger: false }).compile(schema) as (
    value: unknown,
  ) => boolean;
}

/**
 * Tokens chosen at random of those that the mask allows, until the answer ends; no text where it does not within `most`.
 * It ends sooner than chance would: half of the time where it may, and where few tokens begin a shorter way.
 */
export function walk(constraint: Constraint, seed: number, most: number): { text: string | undefined; count: number } {
  const { vocabulary } = constraint;
  const random = randomOf(seed);
  const state = constraint.start();
  const mask = new Uint32Array(maskWords(vocabulary.size));
  const bytes: number[] = [];
  for (let count = 0; count < most; count++) {
    if (state.isAccepting && random() < 0.5) return { text: textOf(bytes), count };
    state.mask(mask);
    const closing = closers.filter(byte => state.allows(byteToken(constraint, byte)));
    const token =
      closing.length > 0 && random() < 0.3
        ? byteToken(constraint, closing[Math.floor(random() * closing.length)]!)
        : allowed(mask, random());
    if (vocabulary.endTokens.has(token)) return { text: textOf(bytes), count };
    if (!state.accept(token)) throw new Error(`the mask allows ${token}, which is not accepted`);
    bytes.push(...vocabulary.bytes.at(token)!);
  }
  return { text: undefined, count: most };
}

const closers = [...'"]},'].map(char => char.charCodeAt(0));
const textOf = (bytes: readonly number[]): string =>
  new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes));

const byteTokens = new WeakMap<object, Map<number, Token>>();

/** The token that is this byte alone. */
function byteToken({ vocabulary }: Constraint, byte: number): Token {
  let known = byteTokens.get(vocabulary);
  if (!known) {
    known = new Map();
    for (let token = 0; token < vocabulary.size; token++) {
      const bytes = vocabulary.bytes.at(token)!;
      if (bytes.length === 1 && !known.has(bytes[0]!)) known.set(bytes[0]!, token as Token);
    }
    byteTokens.set(vocabulary, known);
  }
  return known.get(byte)!;
}

/** One of the tokens that have a bit, all as likely. */
function allowed(mask: Uint32Array, chance: number): Token {
  let count = 0;
  for (const word of mask) count += bitsOf(word);
  let left = Math.floor(chance * count);
  for (const [at, word] of mask.entries()) {
    const bits = bitsOf(word);
    if (left >= bits) left -= bits;
    else for (let bit = 0; bit < 32; bit++) if ((word >>> bit) & 1 && left-- === 0) return (at * 32 + bit) as Token;
  }
  throw new Error('the mask is empty');
}

function bitsOf(word: number): number {
  let bits = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}

/** mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const address = {
  type: 'object',
  properties: {
    street: { type: 'string', minLength: 1, maxLength: 30 },
    zip: { type: 'string', pattern: '^[0-9]{5}$' },
  },
  required: ['street'],
  additionalProperties: false,
};

/** Each kind of keyword once. */
export const walkSchemas: readonly object[] = [
  { type: 'object', properties: { a: address, b: { type: 'array', items: address, maxItems: 2 } }, required: ['a'] },
  {
    type: 'object',
    properties: { n: { type: 'number', exclusiveMinimum: 0, maximum: 12.5 } },
    additionalProperties: { type: 'integer' },
  },
  {
    type: 'object',
    minProperties: 1,
    maxProperties: 2,
    properties: { x: { enum: [1, 'one', null] }, y: { const: [1] } },
    additionalProperties: false,
  },
  {
    oneOf: [
      { type: 'integer', minimum: -3, maximum: 999 },
      { type: 'object', properties: { kind: { const: 'k' } }, required: ['kind'] },
    ],
  },
  {
    type: 'array',
    prefixItems: [{ type: 'string', maxLength: 3 }, { type: 'boolean' }],
    items: { multipleOf: 0.5, type: 'number', minimum: 0 },
    minItems: 2,
  },
  {
    type: 'object',
    patternProperties: { '^x-': { type: 'string' } },
    properties: { id: { type: 'integer' } },
    additionalProperties: false,
  },
  {
    anyOf: [
      { type: 'string', pattern: '^(?:ab|é)+$' },
      { type: 'null' },
      { type: 'array', items: { $ref: '#' }, maxItems: 2 },
    ],
  },
  {
    type: 'object',
    properties: { a: { type: 'integer' }, b: { type: 'string' } },
    dependentRequired: { a: ['b'] },
    additionalProperties: false,
  },
  { type: 'string', not: { enum: ['a', 'no'] }, maxLength: 12 },
];

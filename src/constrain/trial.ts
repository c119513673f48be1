/** A schema tried on a vocabulary: what it accepts, and what compiling it and its masks cost. */
import { asRealmError, type ErrorCode } from '../errors.ts';
import type { Token, Tokenizer } from '../tokenizer/types.ts';
import { compilesTooLong, maxCompileMs } from './compile-time.ts';
import { type Constraint, compile } from './constraint.ts';
import { GrammarBuilder } from './grammar-builder.ts';
import { jsonSchemaGrammar } from './json-schema/index.ts';
import { maskWords, vocabularyOf } from './vocabulary.ts';

/** `data` is written as JSON.stringify writes it; raw numbers (`JSON.rawJSON`) stay as they are. */
export interface Instance {
  readonly data: unknown;
  readonly valid?: boolean | undefined;
}

export type TrialResult =
  | {
      readonly ok: true;
      readonly tests: readonly { readonly accepted: boolean }[];
      readonly compile_us: number;
      readonly mask_us: { readonly p50: number; readonly p99: number; readonly max: number };
    }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      /** What the schema says that cannot be enforced, and where; null where it is no single keyword. */
      readonly keyword: string | null;
      readonly path: string | null;
      readonly message: string;
    };

/** What a trial measures, in milliseconds; `masks`: one for each token. */
export interface Measured {
  readonly tests: readonly { readonly accepted: boolean }[];
  readonly compile: number;
  readonly masks: readonly number[];
}

/** As `realm constrain` answers; `now` in milliseconds. */
export function trySchema(
  schema: unknown,
  tests: readonly Instance[],
  tokenizer: Tokenizer,
  now: () => number,
): TrialResult {
  try {
    const { tests: accepted, compile, masks } = measure(schema, tests, tokenizer, now);
    return { ok: true, tests: accepted, compile_us: micros(compile), mask_us: percentiles(masks) };
  } catch (error) {
    return refusal(error);
  }
}

/**
 * An instance is accepted if its compact text and its indented text are. Throws where the schema is refused. Masks may have
 * a finer clock than the rest.
 */
export function measure(
  schema: unknown,
  tests: readonly Instance[],
  tokenizer: Tokenizer,
  now: () => number,
  maskNow = now,
): Measured {
  const vocabulary = vocabularyOf(tokenizer);
  const begin = now();
  const grammar = jsonSchemaGrammar(schema, new GrammarBuilder());
  const constraint = compile(grammar, grammar.regexes, vocabulary);
  const compiled = now() - begin;
  // The server's thread would have ended it.
  if (compiled > maxCompileMs) throw compilesTooLong();
  const masks: number[] = [];
  const accepted = tests.map(({ data }) => ({
    accepted: [JSON.stringify(data), JSON.stringify(data, undefined, 2)].every(text =>
      accepts(constraint, tokensOf(text, tokenizer), masks, maskNow),
    ),
  }));
  return { tests: accepted, compile: compiled, masks };
}

/** The tokens of an answer. Some vocabularies begin every text with a space, which an answer behind a prompt has not. */
function tokensOf(text: string, tokenizer: Tokenizer): readonly Token[] {
  const encode = (whole: string): Token[] => tokenizer.encode(whole, { addSpecial: false, parseSpecial: false });
  const tokens = encode(text);
  const size = new TextEncoder().encode(text).length;
  const sizeOf = (part: readonly Token[]): number =>
    part.reduce((sum, token) => sum + tokenizer.bytes(token).length, 0);
  if (sizeOf(tokens) === size) return tokens;
  const behind = encode(`\n${text}`);
  let extra = sizeOf(behind) - size;
  while (extra > 0 && behind.length > 0) extra -= tokenizer.bytes(behind.shift()!).length;
  return extra === 0 ? behind : tokens;
}

/** Whether each token is in its mask and the end is allowed behind the last. */
function accepts(constraint: Constraint, tokens: readonly Token[], masks: number[], now: () => number): boolean {
  const state = constraint.start();
  const mask = new Uint32Array(maskWords(constraint.vocabulary.size));
  for (const token of tokens) {
    const begin = now();
    state.mask(mask);
    masks.push(now() - begin);
    const allowed = ((mask[token >> 5]! >>> (token & 31)) & 1) === 1;
    if (!allowed || !state.accept(token)) return false;
  }
  return state.isAccepting;
}

function refusal(error: unknown): TrialResult {
  const { code, param, message } = asRealmError(error);
  const at = param?.lastIndexOf('/') ?? -1;
  return {
    ok: false,
    code,
    keyword: param === undefined || at < 0 ? null : param.slice(at + 1),
    path: param === undefined || at < 0 ? null : param.slice(0, at),
    message,
  };
}

function percentiles(times: readonly number[]): { p50: number; p99: number; max: number } {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    micros(sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

const micros = (milliseconds: number): number => Math.round(milliseconds * 1000);

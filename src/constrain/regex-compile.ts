import { RealmError } from '../errors.ts';
import type { Ranges, Regexes, RegexId } from './regex.ts';
import { type Pattern, parsePattern } from './regex-syntax.ts';
import { normaliseRanges, otherRanges } from './utf8.ts';

/** How one character of the matched text is written: as itself, or as in a JSON string. */
export interface Alphabet {
  readonly regexes: Regexes;
  /** One of these characters. */
  chars(ranges: Ranges): RegexId;
  /** Any text. */
  readonly anyText: RegexId;
}

/** Plain text. */
export function plainAlphabet(regexes: Regexes): Alphabet {
  return { regexes, chars: ranges => regexes.chars(ranges), anyText: regexes.repeat(regexes.notChars([]), 0) };
}

/** A whole text that matches, as for `guided_regex`. */
export function compileWhole(source: string, regexes: Regexes): RegexId {
  const compiler = new PatternCompiler(plainAlphabet(regexes));
  return compiler.compile(parsePattern(source), regexes.empty, true);
}

/** A text in which a match is found somewhere, as for JSON Schema's `pattern`. */
export function compileSearch(source: string, alphabet: Alphabet): RegexId {
  return search(parsePattern(source), alphabet);
}

function search(pattern: Pattern, alphabet: Alphabet): RegexId {
  const { regexes, anyText } = alphabet;
  const compiler = new PatternCompiler(alphabet);
  const atStart = compiler.compile(pattern, anyText, true);
  const later = compiler.compile(pattern, anyText, false);
  if (atStart === later) return regexes.concat([anyText, later]);
  const prefix = regexes.concat([alphabet.chars([[0, 0x10ffff]]), anyText]);
  return regexes.or([atStart, regexes.concat([prefix, later])]);
}

/** Compiles from right to left: each piece is told what the rest of the text must be, so anchors and look-ahead are exact. */
class PatternCompiler {
  readonly #alphabet: Alphabet;
  readonly #regexes: Regexes;

  constructor(alphabet: Alphabet) {
    this.#alphabet = alphabet;
    this.#regexes = alphabet.regexes;
  }

  /** The texts that begin with a match of `pattern` and go on with `rest`; `start`: nothing stands before. */
  compile(pattern: Pattern, rest: RegexId, start: boolean): RegexId {
    const regexes = this.#regexes;
    if (!asserts(pattern)) return regexes.concat([this.#plain(pattern), rest]);
    switch (pattern.kind) {
      case 'start':
        return start ? rest : regexes.nothing;
      case 'end':
        return regexes.and([rest, regexes.empty]);
      case 'lookahead': {
        const ahead = this.compile(pattern.part, this.#alphabet.anyText, start);
        return regexes.and([rest, pattern.negated ? regexes.and([this.#alphabet.anyText, regexes.not(ahead)]) : ahead]);
      }
      case 'or':
        return regexes.or(pattern.parts.map(part => this.compile(part, rest, start)));
      case 'concat':
        return this.#concat(pattern.parts, 0, rest, start);
      case 'repeat':
        return this.#repeat(pattern, rest, start);
      case 'chars':
        return regexes.nothing;
      default:
        return pattern satisfies never;
    }
  }

  #concat(parts: readonly Pattern[], at: number, rest: RegexId, start: boolean): RegexId {
    if (at === parts.length) return rest;
    const part = parts[at]!;
    const regexes = this.#regexes;
    const later = parts.slice(at + 1);
    if (!start || !later.some(usesStart))
      return this.compile(part, this.#concat(parts, at + 1, rest, start && stays(part)), start);
    // Where a `^` comes later, the part before it must have matched nothing at the beginning of the text.
    const moved = this.compile(part, this.#concat(parts, at + 1, rest, false), start);
    if (!nullable(part)) return moved;
    const stayed = this.compile(onlyAssertions(part), this.#concat(parts, at + 1, rest, true), start);
    return regexes.or([moved, stayed]);
  }

  /** A repetition whose part has anchors or looks ahead: written out while it is short. */
  #repeat(pattern: Extract<Pattern, { kind: 'repeat' }>, rest: RegexId, start: boolean): RegexId {
    const { part, min, max } = pattern;
    if (max === undefined || max > 16) {
      throw new RealmError(
        'grammar_invalid',
        'the regular expression cannot be used: an anchor or a look-ahead is repeated',
      );
    }
    let compiled = rest;
    const optional: Pattern = { kind: 'or', parts: [part, { kind: 'concat', parts: [] }] };
    const parts = Array.from({ length: max }, (_, index) => (index < min ? part : optional));
    if (usesStart(part)) return this.#concat(parts, 0, rest, start);
    for (const each of parts.reverse()) compiled = this.compile(each, compiled, false);
    return compiled;
  }

  #plain(pattern: Pattern): RegexId {
    const regexes = this.#regexes;
    switch (pattern.kind) {
      case 'chars':
        return this.#alphabet.chars(pattern.negated ? otherRanges(pattern.ranges) : normaliseRanges(pattern.ranges));
      case 'concat':
        return regexes.concat(pattern.parts.map(part => this.#plain(part)));
      case 'or':
        return regexes.or(pattern.parts.map(part => this.#plain(part)));
      case 'repeat':
        return regexes.repeat(this.#plain(pattern.part), pattern.min, pattern.max);
      default:
        throw new RealmError('internal_error', 'a pattern with assertions was taken for a plain one');
    }
  }
}

const known = new WeakMap<Pattern, boolean>();

/** Whether an anchor or a look-ahead is in it. */
function asserts(pattern: Pattern): boolean {
  if (pattern.kind === 'chars') return false;
  if (pattern.kind === 'start' || pattern.kind === 'end' || pattern.kind === 'lookahead') return true;
  let answer = known.get(pattern);
  if (answer === undefined) {
    answer = pattern.kind === 'repeat' ? asserts(pattern.part) : pattern.parts.some(asserts);
    known.set(pattern, answer);
  }
  return answer;
}

function usesStart(pattern: Pattern): boolean {
  if (!asserts(pattern)) return false;
  if (pattern.kind === 'start') return true;
  if (pattern.kind === 'repeat' || pattern.kind === 'lookahead') return usesStart(pattern.part);
  return (pattern.kind === 'concat' || pattern.kind === 'or') && pattern.parts.some(usesStart);
}

/** Matches the empty text only, wherever it does. */
function stays(pattern: Pattern): boolean {
  if (pattern.kind === 'concat' || pattern.kind === 'or') return pattern.parts.every(stays);
  return pattern.kind === 'start' || pattern.kind === 'end' || pattern.kind === 'lookahead';
}

function nullable(pattern: Pattern): boolean {
  switch (pattern.kind) {
    case 'chars':
      return false;
    case 'concat':
      return pattern.parts.every(nullable);
    case 'or':
      return pattern.parts.some(nullable);
    case 'repeat':
      return pattern.min === 0 || nullable(pattern.part);
    default:
      return true;
  }
}

/** The pattern where it matches the empty text: its characters never, its assertions as they are. */
function onlyAssertions(pattern: Pattern): Pattern {
  switch (pattern.kind) {
    case 'chars':
      return { kind: 'or', parts: [] };
    case 'concat':
    case 'or':
      return { kind: pattern.kind, parts: pattern.parts.map(onlyAssertions) };
    case 'repeat':
      return pattern.min === 0 ? { kind: 'concat', parts: [] } : onlyAssertions(pattern.part);
    default:
      return pattern;
  }
}

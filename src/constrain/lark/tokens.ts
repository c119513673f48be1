import { RealmError } from '../../errors.ts';

export type TokenKind =
  | 'rule'
  | 'terminal'
  | 'string'
  | 'regex'
  | 'special'
  | 'number'
  | 'directive'
  | 'newline'
  | 'punctuation'
  | 'end';

/** A word of a Lark grammar; `at`: where it begins. */
export interface LarkToken {
  readonly kind: TokenKind;
  readonly text: string;
  readonly at: number;
  /** Behind `%json` and its like: the value. */
  readonly json?: unknown;
}

const patterns: readonly (readonly [TokenKind | 'space', RegExp])[] = [
  ['space', /(?:[ \t\f]|#[^\n]*|\/\/[^\n]*)+/y],
  ['newline', /(?:\r?\n[ \t\f]*(?:(?:#|\/\/)[^\n]*)?)+/y],
  ['string', /"(?:\\.|[^"\\\n])*"i?/y],
  ['regex', /\/(?:\\.|[^/\\\n])+\/[a-z]*/y],
  ['special', /<[^<>\s]+>/y],
  ['rule', /[!?]*_*[a-z][a-z0-9_-]*/y],
  ['terminal', /_*[A-Z][A-Z0-9_-]*/y],
  ['number', /-?\d+/y],
  ['directive', /%[a-z]+/y],
  ['punctuation', /->|::|\.\.|[:|()[\]{}*+?~&,.=@]/y],
];

const withJson = new Set(['%json', '%regex', '%llguidance']);

/** Throws `grammar_invalid` with the place. */
export function larkTokens(source: string): LarkToken[] {
  const tokens: LarkToken[] = [];
  for (let at = 0; at < source.length; ) {
    const token = read(source, at);
    at += token.text.length;
    if (token.kind === 'space') continue;
    if (token.kind === 'directive' && withJson.has(token.text)) {
      const end = jsonEnd(source, at);
      tokens.push({ kind: 'directive', text: token.text, at: token.at, json: parseJson(source, at, end) });
      at = end;
    } else tokens.push(token as LarkToken);
  }
  tokens.push({ kind: 'end', text: '', at: source.length });
  return tokens;
}

function read(source: string, at: number): { kind: TokenKind | 'space'; text: string; at: number } {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0];
    if (text) return { kind, text, at };
  }
  const open = /["/<]/.test(source[at]!) ? 'this is never closed' : 'this belongs to no grammar';
  return failLark(source, at, open);
}

/** Where the JSON object ends that begins at `at` or behind white space. */
function jsonEnd(source: string, at: number): number {
  const part = /"(?:\\.|[^"\\])*"|[{}]/gs;
  part.lastIndex = at;
  let depth = 0;
  for (let match = part.exec(source); match; match = part.exec(source)) {
    if (match[0] === '{') depth++;
    else if (match[0] === '}' && --depth <= 0) return part.lastIndex;
  }
  return failLark(source, at, 'the JSON object is never closed');
}

function parseJson(source: string, at: number, end: number): unknown {
  try {
    return JSON.parse(source.slice(at, end));
  } catch {
    return failLark(source, at, 'this is not JSON');
  }
}

export function failLark(source: string, at: number, reason: string): never {
  const before = source.slice(0, at).split('\n');
  const place = `line ${before.length}, character ${before.at(-1)!.length + 1}`;
  throw new RealmError('grammar_invalid', `the grammar cannot be read: ${reason}, at ${place}`);
}

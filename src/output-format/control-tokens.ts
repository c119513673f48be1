import type { Token, Tokenizer } from '../tokenizer/types.ts';

/** Tokens that stand for no text of an answer, by how templates write them. */
export type ControlTokens = ReadonlyMap<string, Token>;

export function controlTokens(tokenizer: Pick<Tokenizer, 'controlTexts' | 'encode'>): ControlTokens {
  const tokens = new Map<string, Token>();
  for (const text of tokenizer.controlTexts) {
    const [token, ...others] = tokenizer.encode(text, { addSpecial: false });
    if (token !== undefined && others.length === 0) tokens.set(text, token);
  }
  return tokens;
}

/** The text cut at control tokens, which come as their numbers. */
export function cutAtControl(text: string, control: ControlTokens): (string | Token)[] {
  const parts: (string | Token)[] = [];
  let rest = text;
  while (rest !== '') {
    const next = firstControl(rest, control);
    if (!next) return [...parts, rest];
    if (next.at > 0) parts.push(rest.slice(0, next.at));
    parts.push(next.token);
    rest = rest.slice(next.at + next.length);
  }
  return parts;
}

/** The first one, and the longest of those that begin in one place, as the tokenizer reads them. */
function firstControl(text: string, control: ControlTokens): { at: number; length: number; token: Token } | undefined {
  let found: { at: number; length: number; token: Token } | undefined;
  for (const [written, token] of control) {
    const at = text.indexOf(written);
    if (at < 0 || written === '') continue;
    if (!found || at < found.at || (at === found.at && written.length > found.length))
      found = { at, length: written.length, token };
  }
  return found;
}

import type { Token, Tokenizer } from '../../tokenizer/types.ts';

/** The vocabulary that a grammar's special tokens belong to. */
export interface SpecialTokens {
  readonly size: number;
  /** The token of that text, `<|im_end|>`; undefined where there is none. */
  named(text: string): Token | undefined;
}

export function specialTokensOf(tokenizer: Pick<Tokenizer, 'vocabSize' | 'encode'>): SpecialTokens {
  return {
    size: tokenizer.vocabSize,
    named: text => {
      const tokens = tokenizer.encode(text, { addSpecial: false, parseSpecial: true });
      return tokens.length === 1 ? tokens[0] : undefined;
    },
  };
}

/** What stands between `<` and `>`: a name, or numbers as in `[5,7-9]`, `[^5]` and `[*]`. A text says what is wrong. */
export function specialTokens(name: string, vocabulary: SpecialTokens): readonly Token[] | string {
  const list = /^\[(\^?)(.*)\]$/.exec(name);
  if (!list) {
    const token = vocabulary.named(`<${name}>`);
    return token === undefined ? `this vocabulary has no token <${name}>` : [token];
  }
  const all = Array.from({ length: vocabulary.size }, (_, token) => token as Token);
  const [, negated, ranges] = list;
  if (ranges === '*') return negated ? 'no token is left of <[^*]>' : all;
  const chosen = new Uint8Array(vocabulary.size);
  for (const range of ranges!.split(',')) {
    const ends = /^(\d+)(?:-(\d+))?$/.exec(range);
    const [from, to] = [Number(ends?.[1]), Number(ends?.[2] ?? ends?.[1])];
    if (!ends || from > to || to >= vocabulary.size) return `${range} is no range of this vocabulary's tokens`;
    chosen.fill(1, from, to + 1);
  }
  return all.filter(token => (chosen[token] === 1) !== (negated === '^'));
}

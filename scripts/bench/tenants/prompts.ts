import type { Tokenizer } from '../../../src/tokenizer/types.ts';

const words =
  'river market stone winter letter garden engine silver mountain paper window harbour candle forest bridge'.split(' ');

/** A text of about `tokens` tokens; texts of other numbers differ from their first word on. */
export function prompt(tokenizer: Tokenizer, tokens: number, number: number): string {
  let text = String(number);
  const step = 1 + (number % 13);
  for (let i = number; tokenizer.encode(text).length < tokens; i += step) text += ` ${words[i % words.length]}`;
  return text;
}

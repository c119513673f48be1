/** How fast an engine in a page is: tokens a second of a prompt, and of an answer. Realm's, or another's. */
export interface PageWork {
  /** Words of the prompt, which are its tokens in most vocabularies. */
  readonly prompt: number;
  /** Tokens to generate. */
  readonly gen: number;
}

/** Runs a text and answers with the milliseconds to the first token and to the last. */
export type Run = (prompt: string, tokens: number) => Promise<Ran>;

export interface Ran {
  readonly first: number;
  readonly last: number;
  /** 0: it does not say. */
  readonly promptTokens: number;
  readonly text?: string;
}

/** Tokens a second. */
export interface PageRates {
  readonly prompt: number;
  readonly gen: number;
  /** What was generated. */
  readonly text: string;
}

/** Every round's prompts differ from their first word on: nothing is found in a cache. */
export async function ratesOf(run: Run, { prompt, gen }: PageWork, round: number): Promise<PageRates> {
  const digit = round % 10;
  const words = Array.from({ length: prompt - 1 }, (_, i) => ` ${filling[(i * 7 + round + (i % 5)) % filling.length]}`);
  const long = await run(`${digit}${words.join('')}`, 1);
  const short = await run(`${digit}${opening}`, gen);
  return {
    prompt: ((long.promptTokens || prompt) * 1000) / long.first,
    gen: ((gen - 1) * 1000) / (short.last - short.first),
    text: short.text ?? '',
  };
}

const filling = ['a', 'the', 'of', 'in'];
const opening = ' Once upon a time';

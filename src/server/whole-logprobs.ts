import { breathe } from '../breathe.ts';
import type { TextLogprob } from '../llm/types.ts';

/** Tokens whose log-probabilities are written at once: with 20 alternatives each that takes some milliseconds. */
export const logprobsAtOnce = 64;

type Columns = { readonly [name: string]: unknown };

/** The log-probabilities of a choice, written piece by piece: a prompt's may be very many, and others wait meanwhile. */
export async function wholeLogprobs(
  list: readonly TextLogprob[],
  write: (piece: readonly TextLogprob[]) => object,
): Promise<object> {
  const whole: Columns = { ...write([]) };
  for (let at = 0; at < list.length; at += logprobsAtOnce) {
    await breathe();
    append(whole, write(list.slice(at, at + logprobsAtOnce)) as Columns);
  }
  return whole;
}

/** Behind each list of the one the entries of the other's. */
function append(whole: Columns, piece: Columns): void {
  for (const [name, column] of Object.entries(whole)) {
    const more = piece[name];
    if (Array.isArray(column) && Array.isArray(more)) column.push(...more);
  }
}

import { isWithin, type Range, ranges } from '../../ranges.ts';
import type { Sampling } from '../request.ts';

/** The fields of sampling that somebody who offers a model may recommend. */
const advised = {
  temperature: ranges.temperature,
  topK: ranges.topK,
  topP: ranges.topP,
  minP: ranges.minP,
  repetitionPenalty: ranges.repetitionPenalty,
  penaltyWindow: ranges.penaltyWindow,
  presencePenalty: ranges.presencePenalty,
  frequencyPenalty: ranges.frequencyPenalty,
} as const satisfies Partial<Record<keyof Sampling, Range>>;

/** What they are called where the recommendation stands. */
export type AdviceNames = { readonly [Field in keyof typeof advised]?: string };

/** What is recommended for requests that do not say; a value that no request may have is passed over, as it is only advice. */
export function adviceOf(names: AdviceNames, read: (name: string) => unknown): Sampling {
  const said = Object.entries(names).flatMap(([field, name]) => {
    const value = read(name);
    const range = advised[field as keyof typeof advised];
    return typeof value === 'number' && isWithin(value, range) ? [[field, value]] : [];
  });
  return Object.fromEntries(said);
}

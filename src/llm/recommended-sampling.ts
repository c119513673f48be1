import type { Sampling } from '../engine/request.ts';
import { type AdviceNames, adviceOf } from '../engine/sampling/advice.ts';
import type { Metadata } from '../gguf/types.ts';

/** GGUF's names for what a model's makers recommend; those that Realm's sampler has. */
const names: AdviceNames = {
  temperature: 'temp',
  topK: 'top_k',
  topP: 'top_p',
  minP: 'min_p',
  repetitionPenalty: 'penalty_repeat',
  penaltyWindow: 'penalty_last_n',
};

/** What the file's `general.sampling.*` say. */
export function recommendedSampling(metadata: Metadata): Sampling {
  return adviceOf(names, name => metadata.get(`general.sampling.${name}`));
}

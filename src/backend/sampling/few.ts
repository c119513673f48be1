/** Chooses from the likely tokens of a row where the others' mass is known: what the {@link Sampler} chooses from the whole row. */
import type { SamplingSpec } from '../backend.ts';
import { uniform } from './random.ts';
import type { History } from './sampler.ts';
import { softmaxWeights } from './softmax-weights.ts';

/** Every token of a row whose logit is above `floor`, and perhaps some others; logits as penalties, bias and mask left them. */
export interface Few {
  readonly ids: Int32Array; // [count], each once
  readonly logits: Float32Array; // [count]
  readonly floor: number;
  /** The mass of the tokens that are not there, e^((logit - `best`) / temperature) each. */
  readonly rest: number;
  readonly best: number;
}

interface Candidate {
  readonly id: number;
  readonly logit: number;
  readonly weight: number;
}

/** How far `rest` may be off, and sums in another order. */
const restError = 2e-4;
const sumError = 1e-9;
/** How far the weights of a softmax are from the order of their logits. */
const weightError = 1e-6;

/** The token; undefined where it might be another one, seen from the whole row. */
export function chooseFew(few: Few, history: History, spec: SamplingSpec): number | undefined {
  const { temperature, topK, topP, minP } = spec;
  // NaN as soon as one of them is.
  const best = few.logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  if (!Number.isFinite(best)) return;
  const all = candidatesOf(few, best, temperature);
  const first = all[0];
  if (temperature === 0 || topK === 1) return first.logit > few.floor ? first.id : undefined;
  let rest = few.rest * Math.exp((few.best - best) / temperature);
  let likely = all;
  if (topK > 0) {
    likely = all.filter(({ logit }) => logit > few.floor).slice(0, topK);
    if (likely.length < topK && few.floor !== -Infinity) return;
    rest = 0;
  }
  likely.sort((a, b) => b.weight - a.weight || a.id - b.id);
  // What is not clearly above all that is not there counts as if it were not there either.
  const least = rest > 0 ? weightOf(few.floor, best, temperature) * (1 + weightError) : -1;
  const clear = likely.findIndex(({ weight }) => weight <= least);
  if (clear >= 0) for (const { weight } of likely.splice(clear)) rest += weight;
  if (topP < 1) {
    const count = reached(likely, topP, rest);
    if (count === undefined) return;
    likely.length = count;
    rest = 0;
  }
  if (minP > 0) {
    if (rest > 0 && minP <= least) return;
    const count = likely.findIndex(({ weight }) => weight < minP);
    if (count >= 0) likely.length = count;
    rest = 0;
  }
  const count = reached(likely, uniform(spec.seed, history.length - history.promptTokens), rest);
  return count === undefined ? undefined : likely[count - 1].id;
}

/** Most likely first, of equals the first. */
function candidatesOf({ ids, logits }: Few, best: number, temperature: number): Candidate[] {
  const weights = Float64Array.from(logits);
  if (temperature > 0) softmaxWeights(weights, weights.length, best, temperature);
  const all = Array.from(ids, (id, i) => ({ id, logit: logits[i], weight: weights[i] }));
  return all.sort((a, b) => b.logit - a.logit || a.id - b.id);
}

const weightOf = (logit: number, best: number, temperature: number): number =>
  softmaxWeights(Float64Array.of(logit), 1, best, temperature);

/** How many of the likely ones reach the fraction of all mass; undefined where errors leave it open, or none do. */
function reached(likely: readonly Candidate[], fraction: number, rest: number): number | undefined {
  const sum = likely.reduce((total, { weight }) => total + weight, 0);
  const most = fraction * (sum + rest * (1 + restError)) * (1 + sumError);
  const least = fraction * (sum + rest * (1 - restError)) * (1 - sumError);
  let count = 1;
  let mass = likely[0]?.weight ?? 0;
  while (mass < least && count < likely.length) mass += likely[count++].weight;
  return mass >= most ? count : undefined;
}

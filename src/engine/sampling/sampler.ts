import { RealmError } from '../../errors.ts';
import { ranges } from '../../ranges.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { TokenLogprob } from '../request.ts';
import { uniform } from './random.ts';
import type { SamplingSpec } from './sampling.ts';
import { keepBest } from './select.ts';
import { softmaxWeights } from './softmax-weights.ts';

/** A bias that bans its token. */
const banned = ranges.logitBias.min;

/** What was said so far: the prompt, then the answer. */
export interface History {
  readonly tokens: readonly Token[];
  readonly promptTokens: number;
}

/**
 * Chooses tokens from rows of logits. It keeps scratch memory but no state: the choice is a function of the row, the
 * history and the spec, so a sequence's text depends on nothing else.
 *
 * Order: penalties, bias, temperature, top-k, top-p (of what top-k left), min-p.
 */
export class Sampler {
  readonly #row: Float32Array; // [vocab], the adjusted copy of a row
  readonly #ids: Int32Array; // [vocab], candidates
  readonly #keys: Float64Array; // [vocab], their logits or weights
  readonly #counts: Int32Array; // [vocab], zero between calls

  constructor(vocabSize: number) {
    this.#row = new Float32Array(vocabSize);
    this.#ids = new Int32Array(vocabSize);
    this.#keys = new Float64Array(vocabSize);
    this.#counts = new Int32Array(vocabSize);
  }

  /** The next token. logits: // [vocab], not changed. Throws `engine_failed` when there is no finite best one. */
  sample(logits: Float32Array, history: History, spec: SamplingSpec): Token {
    let row = this.#adjust(logits, history, spec, true);
    let greatest = greatestOf(row);
    if (greatest === -Infinity && spec.bias.length > 0) {
      // Every token is banned that the model would say: then none is more than the others.
      row = this.#adjust(logits, history, spec, false);
      greatest = greatestOf(row);
    }
    const best = indexOf(row, greatest);
    if (spec.temperature === 0 || spec.topK === 1) return best as Token;
    let count = this.#candidates(row, spec.topK);
    const total = softmaxWeights(this.#keys, count, row[best], spec.temperature);
    if (spec.topP < 1) count = this.#nucleus(count, spec.topP, total);
    if (spec.minP > 0) count = this.#dropBelow(count, spec.minP);
    return this.#draw(count, uniform(spec.seed, history.tokens.length - history.promptTokens));
  }

  /** The probability of `token` and of the `top` most likely ones in the untouched distribution. */
  logprob(logits: Float32Array, token: Token, top: number): TokenLogprob {
    const best = greatestOf(logits);
    if (!Number.isFinite(best)) throw notFinite(best);
    const norm = best + Math.log(softmaxWeights(this.#keys, this.#candidates(logits, 0), best, 1));
    const of = (id: number): number => logits[id] - norm;
    const count = top > 0 ? this.#candidates(logits, top) : 0;
    const ids = Array.from(this.#ids.subarray(0, count)).sort((a, b) => logits[b] - logits[a] || a - b);
    return { token, logprob: of(token), top: ids.map(id => ({ token: id as Token, logprob: of(id) })) };
  }

  /** The row with penalties and bias; the lowest bias bans its token if `bans`, or else is a number like others. */
  #adjust(logits: Float32Array, history: History, spec: SamplingSpec, bans: boolean): Float32Array {
    const repeats = spec.repetitionPenalty !== 1 && spec.penaltyWindow > 0;
    const counts = spec.presencePenalty !== 0 || spec.frequencyPenalty !== 0;
    if (!repeats && !counts && spec.bias.length === 0) return logits;
    const row = this.#row;
    row.set(logits);
    const { tokens, promptTokens } = history;
    if (repeats) {
      this.#forEachCount(tokens, Math.max(0, tokens.length - spec.penaltyWindow), token => {
        row[token] = row[token] > 0 ? row[token] / spec.repetitionPenalty : row[token] * spec.repetitionPenalty;
      });
    }
    if (counts) {
      this.#forEachCount(tokens, promptTokens, (token, count) => {
        row[token] -= spec.presencePenalty + count * spec.frequencyPenalty;
      });
    }
    for (const [token, bias] of spec.bias) row[token] = bans && bias <= banned ? -Infinity : row[token] + bias;
    return row;
  }

  /** Calls back once for each distinct token of tokens[from..] with its number of occurrences. */
  #forEachCount(tokens: readonly Token[], from: number, callback: (token: Token, count: number) => void): void {
    const counts = this.#counts;
    for (let i = from; i < tokens.length; i++) counts[tokens[i]]++;
    for (let i = from; i < tokens.length; i++) {
      const token = tokens[i];
      if (counts[token] === 0) continue;
      callback(token, counts[token]);
      counts[token] = 0;
    }
  }

  /** Fills ids and keys with the `limit` best of the row (0: with all), keys being logits; returns how many. */
  #candidates(row: Float32Array, limit: number): number {
    const all = limit === 0 || limit >= row.length;
    const floor = all ? -Infinity : lowerBound(row, limit);
    const ids = this.#ids;
    const keys = this.#keys;
    let count = 0;
    for (let i = 0; i < row.length; i++) {
      if (row[i] < floor) continue;
      ids[count] = i;
      keys[count++] = row[i];
    }
    return all ? count : keepBest(ids, keys, count, limit, 'unit');
  }

  /** Keeps the smallest set that reaches `p`. What is dropped first adds up to less than 1 - p and cannot be in it. */
  #nucleus(count: number, p: number, total: number): number {
    const few = this.#dropBelow(count, ((1 - p) * total) / count);
    return keepBest(this.#ids, this.#keys, few, p * total, 'key');
  }

  #dropBelow(count: number, weight: number): number {
    const ids = this.#ids;
    const keys = this.#keys;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      if (keys[i] < weight) continue;
      ids[kept] = ids[i];
      keys[kept++] = keys[i];
    }
    return kept;
  }

  #draw(count: number, random: number): Token {
    const keys = this.#keys;
    let total = 0;
    for (let i = 0; i < count; i++) total += keys[i];
    let rest = random * total;
    let chosen = 0;
    for (let i = 0; i < count && rest >= 0; i++) {
      if (keys[i] > 0) chosen = i;
      rest -= keys[i];
    }
    return this.#ids[chosen] as Token;
  }
}

/** NaN as soon as one of the values is. */
function greatestOf(row: Float32Array): number {
  let best = -Infinity;
  for (let i = 0; i < row.length; i++) best = Math.max(best, row[i]);
  return best;
}

/** The index of the greatest logit, the first of equal ones. */
function indexOf(row: Float32Array, greatest: number): number {
  if (!Number.isFinite(greatest)) throw notFinite(greatest);
  return row.indexOf(greatest);
}

/** At most the `n`-th greatest of the row: the least of the maxima of n parts. Few logits reach it. */
function lowerBound(row: Float32Array, n: number): number {
  const size = Math.floor(row.length / n);
  let least = Infinity;
  for (let part = 0; part < n; part++) {
    let best = -Infinity;
    for (let i = part * size; i < (part + 1) * size; i++) best = Math.max(best, row[i]);
    least = Math.min(least, best);
  }
  return least;
}

function notFinite(value: number): RealmError {
  return new RealmError('engine_failed', `the model gave no usable logits (best: ${value}); the request was stopped`);
}

import { ranges } from '../../ranges.ts';
import { type SampleRow, type SamplingSpec, unsampled } from '../backend.ts';
import { candidates, greatestOf } from './candidates.ts';
import { uniform } from './random.ts';
import { keepBest } from './select.ts';
import { softmaxWeights } from './softmax-weights.ts';

/** A bias that bans its token. */
const banned = ranges.logitBias.min;

/** What was said so far. */
export type History = Pick<SampleRow, 'tokens' | 'length' | 'promptTokens'>;

/**
 * Chooses tokens from rows of logits: the sampler of the backends that run on the CPU. It keeps scratch memory but no state:
 * the choice is a function of the row, the history, the spec and the mask, so a sequence's text depends on nothing else.
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

  /** The next token, or one of {@link unsampled}. logits: [vocab], not changed. mask: [ceil(vocab / 32)] */
  sample(logits: Float32Array, history: History, spec: SamplingSpec, mask?: Uint32Array): number {
    if (mask?.every(word => word === 0)) return unsampled.allBanned;
    let row = this.#adjust(logits, history, spec, true, mask);
    let greatest = greatestOf(row);
    if (greatest === -Infinity && spec.bias.length > 0) {
      // Every token is banned that the model would say: then none is more than the others.
      row = this.#adjust(logits, history, spec, false, mask);
      greatest = greatestOf(row);
    }
    if (!Number.isFinite(greatest)) return unsampled.notFinite;
    // The first of equal ones.
    const best = row.indexOf(greatest);
    if (spec.temperature === 0 || spec.topK === 1) return best;
    let count = candidates(row, spec.topK, this.#ids, this.#keys);
    const total = softmaxWeights(this.#keys, count, row[best], spec.temperature);
    if (spec.topP < 1) count = this.#nucleus(count, spec.topP, total);
    if (spec.minP > 0) count = this.#dropBelow(count, spec.minP);
    return this.#draw(count, uniform(spec.seed, history.length - history.promptTokens));
  }

  /** The row with penalties, bias and mask; the lowest bias bans its token if `bans`, or else is a number like others. */
  #adjust(
    logits: Float32Array,
    history: History,
    spec: SamplingSpec,
    bans: boolean,
    mask: Uint32Array | undefined,
  ): Float32Array {
    const { repeats, counts } = penaltiesOf(spec);
    if (!repeats && !counts && spec.bias.length === 0 && !mask) return logits;
    const row = this.#row;
    row.set(logits);
    this.#penalise(history, spec, bans);
    if (mask) ban(row, mask);
    return row;
  }

  /** What penalties and bias make of the logits of the tokens that they change, see {@link changedTokens}; in place. */
  adjustFew(ids: Int32Array, values: Float32Array, history: History, spec: SamplingSpec): void {
    const row = this.#row;
    for (let i = 0; i < ids.length; i++) row[ids[i]] = values[i];
    this.#penalise(history, spec, true);
    for (let i = 0; i < ids.length; i++) values[i] = row[ids[i]];
  }

  #penalise({ tokens, length, promptTokens }: History, spec: SamplingSpec, bans: boolean): void {
    const { repeats, counts } = penaltiesOf(spec);
    const row = this.#row;
    if (repeats) {
      this.#forEachCount(tokens, Math.max(0, length - spec.penaltyWindow), length, token => {
        row[token] = row[token] > 0 ? row[token] / spec.repetitionPenalty : row[token] * spec.repetitionPenalty;
      });
    }
    if (counts) {
      this.#forEachCount(tokens, promptTokens, length, (token, count) => {
        row[token] -= spec.presencePenalty + count * spec.frequencyPenalty;
      });
    }
    for (const [token, bias] of spec.bias) row[token] = bans && bias <= banned ? -Infinity : row[token] + bias;
  }

  /** Calls back once for each distinct one of tokens[from, to) with its number of occurrences. */
  #forEachCount(
    tokens: readonly number[],
    from: number,
    to: number,
    callback: (token: number, count: number) => void,
  ): void {
    const counts = this.#counts;
    for (let i = from; i < to; i++) counts[tokens[i]]++;
    for (let i = from; i < to; i++) {
      const token = tokens[i];
      if (counts[token] === 0) continue;
      callback(token, counts[token]);
      counts[token] = 0;
    }
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

  /**
   * The candidate at which the masses, in the order of {@link keepBest}, reach `random` of their sum: it is found in the few that
   * are likely, and needs to know of the others only their sum. What is dropped first adds up to half of what lies beyond it.
   */
  #draw(count: number, random: number): number {
    const keys = this.#keys;
    let total = 0;
    for (let i = 0; i < count; i++) total += keys[i];
    const few = this.#dropBelow(count, ((1 - random) * total) / (2 * count));
    const enough = keepBest(this.#ids, keys, few, random * total, 'key');
    return this.#ids[Math.max(1, enough) - 1];
  }
}

/** Which penalties there are: on the last tokens, on all of the answer. */
const penaltiesOf = (spec: SamplingSpec) => ({
  repeats: spec.repetitionPenalty !== 1 && spec.penaltyWindow > 0,
  counts: spec.presencePenalty !== 0 || spec.frequencyPenalty !== 0,
});

const none = new Int32Array();

/** The tokens whose logits penalties and bias change, ascending. */
export function changedTokens({ tokens, length, promptTokens }: History, spec: SamplingSpec): Int32Array {
  const { repeats, counts } = penaltiesOf(spec);
  if (!repeats && !counts && spec.bias.length === 0) return none;
  const changed = new Set<number>(spec.bias.map(([token]) => token));
  if (repeats) for (let i = Math.max(0, length - spec.penaltyWindow); i < length; i++) changed.add(tokens[i]);
  if (counts) for (let i = promptTokens; i < length; i++) changed.add(tokens[i]);
  return Int32Array.from(changed).sort();
}

/** The tokens whose bits are cleared are never chosen. */
function ban(row: Float32Array, mask: Uint32Array): void {
  for (let word = 0; word < mask.length; word++) {
    const bits = mask[word];
    const start = word * 32;
    if (bits === 0) row.fill(-Infinity, start, start + 32);
    else if (bits !== 0xffffffff) {
      for (let bit = 0; bit < 32; bit++)
        if (((bits >>> bit) & 1) === 0 && start + bit < row.length) row[start + bit] = -Infinity;
    }
  }
}

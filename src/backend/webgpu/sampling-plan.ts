/** What of a row of logits the device decides, what it brings back, and what that says. */
import { type SampleRow, unsampled } from '../backend.ts';
import type { Few } from '../sampling/few.ts';
import { changedTokens, type Sampler } from '../sampling/sampler.ts';
import { resultWords } from './ops/choose.ts';

export interface ChoicePlan {
  /** Who chooses: the device, the host from a few tokens, or the host from the whole row. */
  readonly kind: 'device' | 'few' | 'whole';
  /** The tokens whose logits penalties and bias change: the host has to do that, in its own numbers. */
  readonly changed: Int32Array;
  /** The row's mask without those; undefined where that is the mask itself. */
  readonly allowed: Uint32Array | undefined;
  /** Room in the list of likely tokens. */
  readonly capacity: number;
  readonly temperature: number;
}

/** A list of the 256 greatest has some more, as the device does not sort. */
const likelyTokens = 512;
const mostTopK = 256;
const mostChanged = 1024;
const none = new Int32Array();

export function planOf(row: SampleRow, mask: Uint32Array | undefined, vocabulary: number): ChoicePlan {
  const { spec } = row;
  const changed = changedTokens(row, spec);
  const greedy = spec.temperature === 0 || spec.topK === 1;
  if (changed.length > mostChanged || (!greedy && spec.topK > mostTopK))
    return { kind: 'whole', changed: none, allowed: undefined, capacity: 0, temperature: 1 };
  const plan = { changed, capacity: greedy ? 0 : likelyTokens, temperature: greedy ? 1 : spec.temperature };
  if (changed.length > 0) return { ...plan, kind: 'few', allowed: without(changed, mask, vocabulary) };
  return { ...plan, kind: greedy ? 'device' : 'few', allowed: undefined };
}

function without(tokens: Int32Array, mask: Uint32Array | undefined, vocabulary: number): Uint32Array {
  const allowed = mask ? mask.slice() : new Uint32Array(Math.ceil(vocabulary / 32)).fill(0xffffffff);
  for (const token of tokens) allowed[token >>> 5]! &= ~(1 << (token & 31));
  return allowed;
}

export const resultWordsOf = ({ changed, capacity }: ChoicePlan): number => resultWords + changed.length + 2 * capacity;

/** What the results of a row (see ops/choose.ts) say of it; undefined where the whole row is needed. */
export function fewOf(
  { kind, changed, capacity }: ChoicePlan,
  results: Int32Array,
  row: SampleRow,
  mask: Uint32Array | undefined,
  sampler: Sampler,
): Few | undefined {
  const values = new Float32Array(results.buffer, results.byteOffset, results.length);
  const [best, id, least, found, rest] = [values[0]!, results[1]!, results[2]!, results[3]!, values[4]!];
  // Not a finite number, among those that the host does not change.
  if (kind === 'whole' || id === unsampled.notFinite) return;
  const count = id < 0 ? 0 : capacity > 0 ? found : 1;
  if (capacity > 0 && count > capacity) return;
  const adjusted = values.slice(resultWords, resultWords + changed.length);
  sampler.adjustFew(changed, adjusted, row, row.spec);
  const ids = new Int32Array(count + changed.length);
  const logits = new Float32Array(ids.length);
  const list = resultWords + changed.length;
  for (let i = 0; i < count; i++) {
    ids[i] = capacity > 0 ? results[list + 2 * i]! : id;
    logits[i] = capacity > 0 ? values[list + 2 * i + 1]! : best;
  }
  let all = count;
  for (const [i, token] of changed.entries()) {
    if (mask && ((mask[token >>> 5]! >>> (token & 31)) & 1) === 0) continue;
    ids[all] = token;
    logits[all++] = adjusted[i]!;
  }
  const listed = { ids: ids.subarray(0, all), logits: logits.subarray(0, all) };
  if (capacity === 0 || count === 0) return { ...listed, floor: -Infinity, rest: 0, best: 0 };
  return { ...listed, floor: least === 0 ? -Infinity : numberOf(least), rest, best };
}

/** The number whose key this is: words that are ordered as the numbers are. */
function numberOf(key: number): number {
  const bits = Uint32Array.of(key < 0 ? key & 0x7fffffff : ~key);
  return new Float32Array(bits.buffer)[0]!;
}

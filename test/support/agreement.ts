import { pageTokens } from '../../src/backend/backend.ts';
import type { Adapter, Model } from '../../src/model/types.ts';
import type { Answer } from './llama-cpp.ts';
import { logitsOf } from './logits.ts';

/** How closely two answers to one text agree. */
export interface Agreement {
  readonly positions: number;
  /** Share of the positions at which the most likely token is the same. */
  readonly sameTop: number;
  /** Mean Kullback-Leibler divergence of the second from the first, nats. */
  readonly meanKl: number;
  /** Root mean square difference of the logarithms of all probabilities: sees differences that rounding hides from KL. */
  readonly logDifference: number;
  /** The same at the median position. */
  readonly medianLogDifference: number;
  /** Perplexity of the text under each. */
  readonly perplexity: readonly [number, number];
}

export function agreement({ tokens, probabilities: first }: Answer, second: readonly Float32Array[]): Agreement {
  let same = 0;
  let kl = 0;
  const squares: number[] = [];
  const surprise = [0, 0];
  first.forEach((p, i) => {
    const q = second[i];
    if (argmax(p) === argmax(q)) same++;
    kl += divergence(p, q);
    squares.push(meanSquareOfLogs(p, q));
    if (i + 1 === tokens.length) return;
    surprise[0] -= Math.log(p[tokens[i + 1]]);
    surprise[1] -= Math.log(q[tokens[i + 1]]);
  });
  const [a, b] = surprise.map(sum => Math.exp(sum / (tokens.length - 1)));
  const positions = first.length;
  return {
    positions,
    sameTop: same / positions,
    meanKl: kl / positions,
    logDifference: Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / positions),
    medianLogDifference: Math.sqrt(squares.toSorted((a, b) => a - b)[positions >> 1]),
    perplexity: [a, b],
  };
}

function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/** Σ p ln(p / q) */
function divergence(p: Float32Array, q: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < p.length; i++) if (p[i] > 0) sum += p[i] * Math.log(p[i] / Math.max(q[i], 1e-38));
  return sum;
}

/** Mean of (ln p - ln q)² over the probabilities that f32 holds well. */
function meanSquareOfLogs(p: Float32Array, q: Float32Array): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < p.length; i++) {
    if (p[i] < 1e-30 || q[i] < 1e-30) continue;
    sum += Math.log(p[i] / q[i]) ** 2;
    count++;
  }
  return sum / count;
}

function softmax(logits: Float32Array): Float32Array {
  const max = logits.reduce((a, b) => Math.max(a, b));
  const exponentials = logits.map(logit => Math.exp(logit - max));
  const total = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map(value => value / total);
}

/** A model's probabilities after each of `tokens`, in chunks of as many as it gives logits for; its pages in reverse. */
export async function probabilitiesOf(model: Model, tokens: Int32Array, adapter?: Adapter): Promise<Float32Array[]> {
  const pages = Int32Array.from({ length: Math.ceil(tokens.length / pageTokens) }, (_, i) => model.pages - 1 - i);
  const rows: Float32Array[] = [];
  const most = Math.min(model.maxBatchTokens, model.maxOutputs);
  for (let position = 0; position < tokens.length; position += most) {
    const ids = tokens.slice(position, position + most);
    const outputs = Int32Array.from(ids, (_, i) => i);
    const positions = outputs.map(i => position + i);
    const slot = (position / most) % 2;
    const place = { start: 0, count: ids.length, position, pages, slot, nextSlot: 1 - slot };
    const segments = [{ ...place, ...(adapter && { adapter }) }];
    await model.run({ tokens: ids.length, ids, positions, outputs, segments });
    for (const output of outputs) rows.push(softmax(await logitsOf(model, output)));
  }
  return rows;
}

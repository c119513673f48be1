/** Splits of 256 positions as docs/numerics.md orders them: for tests, slowly. */
import { type AttentionOptions, pageTokens } from '../../backend.ts';
import type { KvHead } from '../../reference/attention.ts';
import { expf, softcap } from '../../reference/math.ts';
import { splitTokens } from './plan.ts';

const f = Math.fround;

interface Sums {
  readonly max: number;
  readonly total: number;
  readonly out: Float32Array;
}

/** out, q: [headDim] */
export function attendInSplits(
  out: Float32Array,
  q: Float32Array,
  position: number,
  kv: KvHead,
  options: Omit<AttentionOptions, 'heads'>,
): void {
  const scaled = q.map(value => f(value * f(options.scale)));
  const first = Math.max(0, position - (options.window ?? position + 1) + 1);
  let all: Sums | undefined;
  for (let start = first - (first % splitTokens); start <= position; start += splitTokens) {
    const split = sumsOf(scaled, Math.max(first, start), Math.min(position, start + splitTokens - 1), kv, options);
    all = all ? added(all, split) : split;
  }
  const inverse = f(1 / all!.total);
  out.set(all!.out.map(value => f(value * inverse)));
}

function added(x: Sums, y: Sums): Sums {
  const max = Math.max(x.max, y.max);
  const [a, b] = [expf(f(x.max - max)), expf(f(y.max - max))];
  const add = (left: number, right: number) => f(f(left * a) + f(right * b));
  return { max, total: add(x.total, y.total), out: x.out.map((value, d) => add(value, y.out[d]!)) };
}

/** Of positions from to to, page after page. */
function sumsOf(
  q: Float32Array,
  from: number,
  to: number,
  kv: KvHead,
  { softcap: cap }: { softcap?: number | undefined },
): Sums {
  let [max, total] = [-Infinity, 0];
  let out = new Float32Array(q.length);
  for (let start = from - (from % pageTokens); start <= to; start += pageTokens) {
    const seen = Array.from({ length: pageTokens }, (_, j) => start + j).filter(p => p >= from && p <= to);
    const scores = seen.map(p => {
      const key = kv.key(p);
      const score = q.reduce((sum, value, d) => f(sum + f(value * key[d]!)), 0);
      return cap === undefined ? score : softcap(score, cap, f(1 / f(cap)));
    });
    const most = Math.max(max, ...scores);
    const decay = max === -Infinity ? 0 : expf(f(max - most));
    const weights = new Float32Array(pageTokens);
    seen.forEach((p, i) => {
      weights[p - start] = expf(f(scores[i]! - most));
    });
    total = f(f(total * decay) + pageSum(weights));
    max = most;
    out = out.map(value => f(value * decay));
    for (const p of seen) out = out.map((value, d) => f(value + f(weights[p - start]! * kv.value(p)[d]!)));
  }
  return { max, total, out };
}

function pageSum(p: Float32Array): number {
  const t = p.slice(0, 8).map((value, j) => f(f(f(value + p[j + 8]!) + p[j + 16]!) + p[j + 24]!));
  const u = t.slice(0, 4).map((value, j) => f(value + t[j + 4]!));
  return f(f(u[0]! + u[2]!) + f(u[1]! + u[3]!));
}

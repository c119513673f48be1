/**
 * What layers with a state of fixed size compute: docs/numerics.md, "States". A state is a matrix whose rows belong to a key's
 * dimensions. Its columns are independent of each other, so they lie in tiles of {@link tileColumns}, [rows][columns of the
 * tile], each of which stays in the first-level cache while tokens pass over it.
 */
import { Func, f32, f32x4, i32, type Local, type V128, v128 } from './assembler.ts';
import { type ConstantOf, constants, type Pair, pair, pairLocal, setPair, storePair } from './constants.ts';
import { exp, mathConstants, sigmoid, silu, softplus } from './math.ts';

/** Columns of a state that lie together; the last tile may have eight. */
export const tileColumns = 16;

/** Tokens that pass over a tile before the next one's turn. */
export const tokensAtOnce = 16;

/** Kernels of a state's tile, by its columns. */
export const deltaName = (columns: number): string => `delta_rule_${columns}`;
export const scanName = (columns: number): string => `scan_${columns}`;

/** Taps that a convolution may have. */
export const convolutionTaps = [2, 3, 4] as const;

export const convolutionName = (taps: number, activated: boolean): string =>
  `convolve_${taps}${activated ? '_silu' : ''}`;

/** One token of a depthwise convolution: out = Σ kernel row i * x at `x<i>`, behind `bias`. kernel: rows of `stride` bytes */
export function convolve(taps: number, activated: boolean) {
  const sources = Array.from({ length: taps }, (_, i) => `x${i}`);
  const names = ['out', 'bias', 'kernel', 'stride', 'eights', ...sources];
  const f = new Func(
    convolutionName(taps, activated),
    Object.fromEntries(names.map(name => [name, 'i32'])) as Record<string, 'i32'>,
  );
  const param = (name: string) => f.params[name]!;
  const get = constants(f, activated ? mathConstants : []);
  const kernels = sources.map((_, i) =>
    f.local('i32', i32.add(param('kernel'), i32.mul(param('stride'), i32.const(i)))),
  );
  const sum = pairLocal(f);
  f.for(param('eights'), () => {
    setPair(f, sum, load(param('bias')));
    for (const [i, source] of sources.entries()) {
      const [weight, value] = [load(kernels[i]!), load(param(source))];
      setPair(
        f,
        sum,
        pair(h => f32x4.add(sum[h], f32x4.mul(weight[h], value[h]))),
      );
    }
    storePair(f, param('out'), activated ? silu(f, sum, get) : sum);
    for (const pointer of [param('out'), param('bias'), ...kernels, ...sources.map(param)]) f.advance(pointer, 32);
  });
  return f;
}

/**
 * What up to {@link tokensAtOnce} tokens of the delta rule do to a head's state, at `out`: exp(`decay` * softplus(alpha + `shift`)), by
 * which it is multiplied; and, {@link ratesAt} bytes behind, sigmoid(beta), the part of a change that is made.
 */
export function deltaGates() {
  const f = new Func('delta_gates', { ...gateParams, beta: 'i32' });
  return gates(f, [f.params.alpha, f.params.beta], (beta, _, get) => sigmoid(f, beta, get));
}

/** The same of a state space layer: the part of a change that is made is softplus(alpha + `shift`). */
export function scanGates() {
  const f = new Func('scan_gates', gateParams);
  return gates(f, [f.params.alpha], (_, rate) => rate);
}

const gateParams = {
  out: 'i32',
  /** The first token's gate; the others' follow, `stride` bytes apart. */
  alpha: 'i32',
  stride: 'i32',
  tokens: 'i32',
  decay: 'i32',
  shift: 'i32',
} as const;

export const ratesAt = 4 * tokensAtOnce;
/** Behind both, a word that nobody reads. */
const seenAt = 2 * ratesAt;
/** Bytes of all that. */
export const gateBytes = 3 * ratesAt;

function gates<F extends Func<typeof gateParams>>(
  f: F,
  inputs: readonly Local<'i32'>[],
  rateOf: (second: Pair<Local<'v128'>>, softened: Pair, get: ConstantOf) => Pair,
): F {
  const { out, stride, tokens, decay, shift } = f.params;
  const at = f.local('i32', out);
  f.for(tokens, () => {
    for (const [i, input] of inputs.entries()) {
      f.storeF32(at, f32.load(input), ratesAt * i);
      f.advance(input, stride);
    }
    f.advance(at, 4);
  });
  const [x, get] = [pairLocal(f), constants(f, mathConstants)];
  f.for(i32.shrU(i32.add(tokens, i32.const(7)), i32.const(3)), () => {
    const shifted = pair(h => f32x4.add(v128.load(out, 16 * h), v128.splat32(shift)));
    setPair(f, x, shifted);
    const softened = softplus(f, x, get);
    const decayed = pair(h => f32x4.mul(v128.splat32(decay), softened[h]));
    storePair(f, out, exp(f, decayed, get));
    setPair(f, x, load(out, ratesAt));
    storePair(f, out, rateOf(x, softened, get), ratesAt);
    f.advance(out, 32);
  });
  return f;
}

const tileParams = {
  /** The tile as it was, and where it is put; they may be the same. */
  from: 'i32',
  to: 'i32',
  /** Rows, a multiple of 8. */
  rows: 'i32',
  tokens: 'i32',
  /** The first token's key and query, f32 for each row; the next token's are `stride` bytes behind. */
  keys: 'i32',
  queries: 'i32',
  stride: 'i32',
  /** For each token what the state is multiplied by, and its change, see {@link deltaGates}. */
  gates: 'i32',
  /** The columns' values, and where the results go. */
  values: 'i32',
  valuesStride: 'i32',
  out: 'i32',
  outStride: 'i32',
} as const;

type TileFunc = Func<typeof tileParams>;

/** Rows that are walked without a jump. */
const rowsInARow = 8;

/** Tokens of the gated delta rule on a tile of a state. arXiv:2412.06464 */
export function deltaRule(columns: number): TileFunc {
  const f = new Func(deltaName(columns), tileParams);
  const { from, to, tokens, keys, queries, stride, gates, values, valuesStride, out, outStride } = f.params;
  const [known, change] = [accumulators(f, columns), accumulators(f, columns)];
  const keep = f.local('v128');
  const nextKeys = f.local('i32');
  recall(f, columns, known);
  f.for(tokens, token => {
    f.set(keep, v128.splat32(gates));
    change.forEach((part, w) => {
      const missing = pair(h =>
        f32x4.mul(
          f32x4.sub(v128.load(values, 32 * w + 16 * h), f32x4.mul(known[w]![h], keep)),
          v128.splat32(gates, ratesAt),
        ),
      );
      setPair(f, part, missing);
    });
    f.set(nextKeys, i32.add(keys, stride));
    // The state is read once for each token: what the next one's key finds in it is summed on the way.
    const output = (sums: readonly Pair[]) => sums.forEach((sum, w) => void storePair(f, out, sum, 32 * w));
    f.if(
      i32.ltU(i32.add(token, i32.const(1)), tokens),
      () => output(step(f, columns, keep, change, { known, keys: nextKeys })),
      () => output(step(f, columns, keep, change)),
    );
    f.set(from, to);
    f.set(keys, nextKeys);
    f.advance(queries, stride);
    f.advance(gates, 4);
    f.advance(values, valuesStride);
    f.advance(out, outStride);
  });
  return f;
}

/** Tokens of a state space layer on a tile of a state. arXiv:2405.21060 */
export function scan(columns: number) {
  const f = new Func(scanName(columns), { ...tileParams, skip: 'i32' });
  const { from, to, tokens, keys, queries, stride, gates, values, valuesStride, out, outStride, skip } = f.params;
  const change = accumulators(f, columns);
  const [keep, rate] = [f.local('v128'), f.local('v128')];
  const value = (w: number) => load(values, 32 * w);
  f.for(tokens, () => {
    f.set(keep, v128.splat32(gates));
    f.set(rate, v128.splat32(gates, ratesAt));
    change.forEach((part, w) => {
      setPair(
        f,
        part,
        pair(h => f32x4.mul(value(w)[h], rate)),
      );
    });
    const sums = step(f, columns, keep, change);
    sums.forEach((sum, w) => {
      const skipped = pair(h => f32x4.add(sum[h], f32x4.mul(v128.splat32(skip), value(w)[h])));
      storePair(f, out, skipped, 32 * w);
    });
    f.set(from, to);
    for (const pointer of [keys, queries]) f.advance(pointer, stride);
    f.advance(gates, 4);
    f.advance(values, valuesStride);
    f.advance(out, outStride);
  });
  return f;
}

const accumulators = (f: TileFunc, columns: number): Pair<Local<'v128'>>[] =>
  Array.from({ length: columns / 8 }, () => pairLocal(f));

const load = (at: Local<'i32'>, offset = 0): Pair => pair(h => v128.load(at, offset + 16 * h));

function clear(f: TileFunc, sums: readonly Pair<Local<'v128'>>[]): void {
  for (const sum of sums)
    setPair(
      f,
      sum,
      pair(() => v128.const(new Uint8Array(16))),
    );
}

/** sum += a * b */
function accumulate(f: TileFunc, sum: Pair<Local<'v128'>>, a: Pair, b: V128): void {
  const next = pair(h => f32x4.add(sum[h], f32x4.mul(a[h], b)));
  setPair(f, sum, next);
}

/** Runs `body` for all rows: some in a row, of which it is told the number; then the pointers move on by so many bytes a row. */
function eachRow(
  f: TileFunc,
  pointers: readonly (readonly [Local<'i32'>, number])[],
  body: (row: number) => void,
): void {
  f.for(i32.shrU(f.params.rows, i32.const(3)), () => {
    for (let row = 0; row < rowsInARow; row++) body(row);
    for (const [pointer, bytes] of pointers) f.advance(pointer, rowsInARow * bytes);
  });
}

/**
 * known = Σ state * key over the rows. Beside it a word of each row of where the state is put is read, so that those lines are on their
 * way when it is written: a tenth to a fourth of the time of a single token.
 */
function recall(f: TileFunc, columns: number, known: readonly Pair<Local<'v128'>>[]): void {
  const [at, key] = [f.local('i32', f.params.from), f.local('i32', f.params.keys)];
  const factor = f.local('v128');
  clear(f, known);
  const [target, seen] = [f.local('i32', f.params.to), f.local('i32', i32.const(0))];
  const pointers = [
    [at, 4 * columns],
    [target, 4 * columns],
    [key, 4],
  ] as const;
  eachRow(f, pointers, row => {
    f.set(seen, i32.or(seen, i32.load(target, 4 * columns * row)));
    f.set(factor, v128.splat32(key, 4 * row));
    known.forEach((sum, w) => void accumulate(f, sum, load(at, 4 * columns * row + 32 * w), factor));
  });
  f.store32(f.params.gates, seen, seenAt);
}

/** state = state * keep + key ⊗ change; Σ state * query; and, for the next token, known = Σ state * its key. */
function step(
  f: TileFunc,
  columns: number,
  keep: V128,
  change: readonly Pair[],
  next?: { known: readonly Pair<Local<'v128'>>[]; keys: Local<'i32'> },
): readonly Pair[] {
  const { from, to, keys, queries } = f.params;
  const [source, target] = [f.local('i32', from), f.local('i32', to)];
  const [key, query, nextKey] = [f.local('i32', keys), f.local('i32', queries), f.local('i32', next?.keys)];
  const [k, q, n] = [f.local('v128'), f.local('v128'), f.local('v128')];
  const sums = accumulators(f, columns);
  const state = pairLocal(f);
  clear(f, [...sums, ...(next?.known ?? [])]);
  const pointers: [Local<'i32'>, number][] = [
    [source, 4 * columns],
    [target, 4 * columns],
    [key, 4],
    [query, 4],
  ];
  if (next) pointers.push([nextKey, 4]);
  eachRow(f, pointers, row => {
    f.set(k, v128.splat32(key, 4 * row));
    f.set(q, v128.splat32(query, 4 * row));
    if (next) f.set(n, v128.splat32(nextKey, 4 * row));
    sums.forEach((sum, w) => {
      const at = 4 * columns * row + 32 * w;
      const before = load(source, at);
      const after = pair(h => f32x4.add(f32x4.mul(before[h], keep), f32x4.mul(change[w]![h], k)));
      setPair(f, state, after);
      storePair(f, target, state, at);
      accumulate(f, sum, state, q);
      if (next) accumulate(f, next.known[w]!, state, n);
    });
  });
  return sums;
}

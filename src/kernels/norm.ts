/**
 * RMSNorm (arXiv:1910.07467) and LayerNorm (arXiv:1607.06450) of one row of `columns`, and its direction. Rows are padded to 16, and
 * the padding is masked.
 */
import { type F32, Func, f32, f32x4, type I32, i32, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { type Pair, pair, pairLocal, positionsAddress, setPair, storePair } from './constants.ts';

/** Σ of sixteen partial sums over the columns at `from`, added in a tree: see docs/numerics.md. */
function total(f: Func, from: I32, columns: Local<'i32'>, term: (x: V128) => V128): F32 {
  const [low, high] = [pairLocal(f), pairLocal(f)];
  for (const sum of [low, high])
    setPair(
      f,
      sum,
      pair(() => v128.const(new Uint8Array(16))),
    );
  const at = f.local('i32', from);
  const terms = [pairLocal(f), pairLocal(f)] as const;
  const addSixteen = (mask: (eight: number) => Pair | undefined) => {
    [low, high].forEach((sum, eight) => {
      const visible = mask(eight);
      setPair(
        f,
        terms[eight],
        pair(h => v128.load(at, 32 * eight + 16 * h)),
      );
      setPair(
        f,
        sum,
        pair(h => f32x4.add(sum[h], visible ? v128.and(term(terms[eight][h]), visible[h]) : term(terms[eight][h]))),
      );
    });
  };
  f.for(i32.shrU(columns, i32.const(4)), () => {
    addSixteen(() => undefined);
    f.advance(at, 64);
  });
  const rest = f.local('i32', i32.and(columns, i32.const(15)));
  f.if(rest, () =>
    addSixteen(eight =>
      pair(h => i32x4.gtS(i32x4.splat(rest), v128.load(i32.const(positionsAddress), 32 * eight + 16 * h))),
    ),
  );
  setPair(
    f,
    low,
    pair(h => f32x4.add(low[h], high[h])),
  );
  const four = f.local('v128', f32x4.add(low[0], low[1]));
  const even = f32.add(f32x4.lane(four, 0), f32x4.lane(four, 2));
  return f32.add(even, f32.add(f32x4.lane(four, 1), f32x4.lane(four, 3)));
}

/** 1 / sqrt(sum / columns + epsilon). */
function reciprocal(f: Func, sum: F32, columns: F32, epsilon: F32): Local<'f32'> {
  return f.local('f32', f32.div(f32.const(1), f32.sqrt(f32.add(f32.div(sum, columns), epsilon))));
}

const eightsOf = (columns: I32): I32 => i32.shrU(i32.add(columns, i32.const(7)), i32.const(3));

export function rmsNorm() {
  const f = new Func('rms_norm', { out: 'i32', x: 'i32', weight: 'i32', columns: 'i32', epsilon: 'f32' });
  const { out, x, weight, columns, epsilon } = f.params;
  const r = reciprocal(
    f,
    total(f, x, columns, v => f32x4.mul(v, v)),
    f32.convert(columns),
    epsilon,
  );
  f.for(eightsOf(columns), () => {
    storePair(
      f,
      out,
      pair(h => f32x4.mul(f32x4.mul(v128.load(x, 16 * h), f32x4.splat(r)), v128.load(weight, 16 * h))),
    );
    for (const pointer of [out, x, weight]) f.advance(pointer, 32);
  });
  return f;
}

export function layerNorm() {
  const params = { out: 'i32', x: 'i32', weight: 'i32', bias: 'i32', columns: 'i32', epsilon: 'f32' } as const;
  const f = new Func('layer_norm', params);
  const { out, x, weight, bias, columns, epsilon } = f.params;
  const mean = f.local(
    'f32',
    f32.div(
      total(f, x, columns, v => v),
      f32.convert(columns),
    ),
  );
  const squares = total(f, x, columns, v => {
    const c = f32x4.sub(v, f32x4.splat(mean));
    return f32x4.mul(c, c);
  });
  const r = reciprocal(f, squares, f32.convert(columns), epsilon);
  f.for(eightsOf(columns), () => {
    storePair(
      f,
      out,
      pair(h => {
        const centred = f32x4.sub(v128.load(x, 16 * h), f32x4.splat(mean));
        return f32x4.add(
          f32x4.mul(f32x4.mul(centred, f32x4.splat(r)), v128.load(weight, 16 * h)),
          v128.load(bias, 16 * h),
        );
      }),
    );
    for (const pointer of [out, x, weight, bias]) f.advance(pointer, 32);
  });
  return f;
}

/** out = (x / its length, sqrt(Σ x² + epsilon)) * factor, in one row of `columns`. */
export function unitLength() {
  const params = { out: 'i32', x: 'i32', columns: 'i32', epsilon: 'f32', factor: 'f32' } as const;
  const f = new Func('unit_length', params);
  const { out, x, columns, epsilon, factor } = f.params;
  const squares = total(f, x, columns, v => f32x4.mul(v, v));
  const r = f.local('f32', f32.div(f32.const(1), f32.sqrt(f32.add(squares, epsilon))));
  f.for(eightsOf(columns), () => {
    storePair(
      f,
      out,
      pair(h => f32x4.mul(f32x4.mul(v128.load(x, 16 * h), f32x4.splat(r)), f32x4.splat(factor))),
    );
    for (const pointer of [out, x]) f.advance(pointer, 32);
  });
  return f;
}

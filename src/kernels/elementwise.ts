/** Kernels over plain rows of f32; counts are in vectors of eight, buffers are padded to them. */
import { Func, f32x4, i32, type Local, v128 } from './assembler.ts';
import { constants, type Pair, pair, pairLocal, setPair, storePair } from './constants.ts';
import { clampedPlusOne, gelu, mathConstants, relu2, sigmoid, silu, swigluOai, tanh } from './math.ts';

const loadPair = (at: Local<'i32'>): Pair => pair(h => v128.load(at, 16 * h));

const activations = { silu, gelu, sigmoid, relu2, linear: (_: Func, x: Pair) => x, swiglu_oai: swigluOai };

/** out = activation(gate) * up. */
export function gate(kind: keyof typeof activations) {
  const f = new Func(`gate_${kind}`, { out: 'i32', gate: 'i32', up: 'i32', eights: 'i32' });
  const { out, gate, up, eights } = f.params;
  const [x, get] = [pairLocal(f), constants(f, mathConstants)];
  f.for(eights, () => {
    setPair(f, x, loadPair(gate));
    const active = activations[kind](f, x, get);
    const gated = kind === 'swiglu_oai' ? clampedPlusOne(loadPair(up)) : loadPair(up);
    storePair(
      f,
      out,
      pair(h => f32x4.mul(active[h], gated[h])),
    );
    for (const pointer of [out, gate, up]) f.advance(pointer, 32);
  });
  return f;
}

/** x = activation(x). */
export function activate(kind: keyof typeof activations) {
  const f = new Func(`activate_${kind}`, { x: 'i32', eights: 'i32' });
  const { x, eights } = f.params;
  const [value, get] = [pairLocal(f), constants(f, mathConstants)];
  f.for(eights, () => {
    setPair(f, value, loadPair(x));
    storePair(f, x, activations[kind](f, value, get));
    f.advance(x, 32);
  });
  return f;
}

/** out += x. */
export function add() {
  const f = new Func('add', { out: 'i32', x: 'i32', eights: 'i32' });
  const { out, x, eights } = f.params;
  f.for(eights, () => {
    storePair(
      f,
      out,
      pair(h => f32x4.add(v128.load(out, 16 * h), v128.load(x, 16 * h))),
    );
    f.advance(out, 32);
    f.advance(x, 32);
  });
  return f;
}

/** x *= factor. */
export function scale() {
  const f = new Func('scale', { x: 'i32', eights: 'i32', factor: 'f32' });
  const { x, eights, factor } = f.params;
  f.for(eights, () => {
    storePair(
      f,
      x,
      pair(h => f32x4.mul(v128.load(x, 16 * h), f32x4.splat(factor))),
    );
    f.advance(x, 32);
  });
  return f;
}

/** x = cap * tanh(x * inverse), inverse = 1 / cap. */
export function softcap() {
  const f = new Func('softcap', { x: 'i32', eights: 'i32', cap: 'f32', inverse: 'f32' });
  const { x, eights, cap, inverse } = f.params;
  const [value, get] = [pairLocal(f), constants(f, mathConstants)];
  f.for(eights, () => {
    setPair(
      f,
      value,
      pair(h => f32x4.mul(v128.load(x, 16 * h), f32x4.splat(inverse))),
    );
    const t = tanh(f, value, get);
    storePair(
      f,
      x,
      pair(h => f32x4.mul(f32x4.splat(cap), t[h])),
    );
    f.advance(x, 32);
  });
  return f;
}

/**
 * Rotates neighbouring pairs of `heads` heads in place. The table row holds cos twice for each pair, [dimensions], then
 * -sin, +sin, [dimensions].
 */
export function ropeAdjacent() {
  const f = new Func('rope_adjacent', { x: 'i32', table: 'i32', fours: 'i32', heads: 'i32', headBytes: 'i32' });
  const { x, table, fours, heads, headBytes } = f.params;
  const [at, row, value] = [f.local('i32'), f.local('i32'), f.local('v128')];
  const sines = f.local('i32', i32.shl(fours, i32.const(4)));
  f.for(heads, () => {
    f.set(at, x);
    f.set(row, table);
    f.for(fours, () => {
      f.set(value, v128.load(at));
      const swapped = v128.shuffle(value, value, [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11]);
      const sine = v128.load(i32.add(row, sines));
      f.store(at, f32x4.add(f32x4.mul(value, v128.load(row)), f32x4.mul(swapped, sine)));
      f.advance(at, 16);
      f.advance(row, 16);
    });
    f.advance(x, headBytes);
  });
  return f;
}

/** Rotates (i, i + dimensions / 2) of `heads` heads in place. The table row holds cos, then sin, [dimensions / 2] each. */
export function ropeHalves() {
  const f = new Func('rope_halves', { x: 'i32', table: 'i32', fours: 'i32', heads: 'i32', headBytes: 'i32' });
  const { x, table, fours, heads, headBytes } = f.params;
  const [at, row] = [f.local('i32'), f.local('i32')];
  const [a, b, cos, sin] = [0, 1, 2, 3].map(() => f.local('v128'));
  const half = f.local('i32', i32.shl(fours, i32.const(4)));
  f.for(heads, () => {
    f.set(at, x);
    f.set(row, table);
    f.for(fours, () => {
      f.set(a, v128.load(at));
      f.set(b, v128.load(i32.add(at, half)));
      f.set(cos, v128.load(row));
      f.set(sin, v128.load(i32.add(row, half)));
      f.store(at, f32x4.sub(f32x4.mul(a, cos), f32x4.mul(b, sin)));
      f.store(i32.add(at, half), f32x4.add(f32x4.mul(a, sin), f32x4.mul(b, cos)));
      f.advance(at, 16);
      f.advance(row, 16);
    });
    f.advance(x, headBytes);
  });
  return f;
}

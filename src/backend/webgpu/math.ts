/**
 * Functions of docs/numerics.md in WGSL for vectors of numbers: each step is one operation, rounded on its own. For kernels'
 * declarations, behind `exactArithmetic`.
 */

const polynomial = [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1];

/** Numbers that are worked on at once. */
export type Width = 1 | 2 | 4;

/**
 * `Reals`, `Ints` and `Flags` of this width, `products(a, b)`, `quotients(number, b)`, `exps(x)` by Cephes' polynomial, with 2^n
 * put together from bits, and `tanhs(x)`. What is no number stays none.
 */
export const mathOf = (width: Width): string => `
alias Reals = ${width === 1 ? 'f32' : `vec${width}f`};
alias Ints = ${width === 1 ? 'i32' : `vec${width}i`};
alias Words = ${width === 1 ? 'u32' : `vec${width}u`};
alias Flags = ${width === 1 ? 'bool' : `vec${width}<bool>`};
fn products(a: Reals, b: Reals) -> Reals { return bitcast<Reals>(bitcast<Words>(a * b) | Words(p.zero)); }
fn exps(x: Reals) -> Reals {
  let clamped = clamp(x, Reals(-87), Reals(88));
  let n = round(products(clamped, Reals(${Math.fround(Math.LOG2E)})));
  let r = (clamped - products(n, Reals(0.693359375))) - products(n, Reals(-2.1219444e-4));
  var y = Reals(${polynomial[0]});
${polynomial
  .slice(1)
  .map(each => `  y = products(y, r) + Reals(${each});`)
  .join('\n')}
  y = (products(y, products(r, r)) + r) + 1;
  let none = (bitcast<Words>(x) & Words(0x7fffffff)) > Words(0x7f800000);
  return select(y * bitcast<Reals>(Words(Ints(n) + 127) << Words(23)), x, none);
}
${quotientsOf(width)}
fn tanhs(x: Reals) -> Reals { return products(Reals(1), 1 - quotients(2, exps(2 * x) + 1)); }`;

/** `softcaps(x, cap, inverse)`, inverse = f32(1 / cap). */
export const softcaps = `
fn softcaps(x: Reals, cap: f32, inverse: f32) -> Reals {
  return products(Reals(cap), tanhs(products(x, Reals(inverse))));
}
`;

/** A loop: a driver that put as many divisions one behind the other would compile them for minutes. */
const quotientsOf = (width: Width): string => `
fn quotients(a: f32, b: Reals) -> Reals {
  var values = b;
  ${width === 1 ? 'values = divide(a, b);' : `for (var k = 0; k < ${width}; k++) { values[k] = divide(a, b[k]); }`}
  return values;
}
`;

/**
 * The functions of docs/numerics.md in WGSL, for kernels' declarations: each step is one operation, rounded on its own, on a
 * device that rounds quotients correctly as well.
 */

const polynomial = [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1];

/** `expf(x)`. */
export const expf = expOf('expf', 'product', { reals: 'f32', ints: 'i32', words: 'u32' });

/** `tanhf(x)`; needs {@link expf}. */
export const tanhf = `
fn tanhf(x: f32) -> f32 { return 1 - 2 / (expf(2 * x) + 1); }
`;

/** `softcapf(x, cap, inverse)`, inverse = f32(1 / cap); needs {@link tanhf}. */
export const softcapf = `
fn softcapf(x: f32, cap: f32, inverse: f32) -> f32 { return product(cap, tanhf(product(x, inverse))); }
`;

/** Numbers that are worked on at once. */
export type Width = 1 | 2 | 4;

/** `Reals`, `Ints` and `Flags` of this width, `products(a, b)`, `exps(x)` and `softcaps(x, cap, inverse)`. */
export const mathOf = (width: Width): string => `
alias Reals = ${width === 1 ? 'f32' : `vec${width}f`};
alias Ints = ${width === 1 ? 'i32' : `vec${width}i`};
alias Words = ${width === 1 ? 'u32' : `vec${width}u`};
alias Flags = ${width === 1 ? 'bool' : `vec${width}<bool>`};
fn products(a: Reals, b: Reals) -> Reals { return bitcast<Reals>(bitcast<Words>(a * b) | Words(p.zero)); }
${expOf('exps', 'products', { reals: 'Reals', ints: 'Ints', words: 'Words' })}
fn softcaps(x: Reals, cap: f32, inverse: f32) -> Reals {
  let t = 1 - 2 / (exps(2 * products(x, Reals(inverse))) + 1);
  return products(Reals(cap), t);
}
`;

interface Types {
  readonly reals: string;
  readonly ints: string;
  readonly words: string;
}

/** e^x by Cephes' polynomial; 2^n is put together from bits. */
function expOf(name: string, product: string, { reals, ints, words }: Types): string {
  const of = (value: number) => `${reals}(${value})`;
  return `
fn ${name}(x: ${reals}) -> ${reals} {
  let clamped = clamp(x, ${of(-87)}, ${of(88)});
  let n = round(${product}(clamped, ${of(Math.fround(Math.LOG2E))}));
  let r = (clamped - ${product}(n, ${of(0.693359375)})) - ${product}(n, ${of(-2.1219444e-4)});
  var y = ${of(polynomial[0]!)};
${polynomial
  .slice(1)
  .map(each => `  y = ${product}(y, r) + ${of(each)};`)
  .join('\n')}
  y = (${product}(y, ${product}(r, r)) + r) + 1;
  let power = ${words}(${ints}(n) + 127) << ${words}(23);
  return y * bitcast<${reals}>(power);
}
`;
}

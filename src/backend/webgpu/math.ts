/**
 * The functions of docs/numerics.md in WGSL, for kernels' declarations: each step is one operation, rounded on its own, on a
 * device that rounds quotients correctly as well. Here for `f32` and, where kernels want them, for four values at once.
 */

const polynomial = [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1];

/** `product4(a, b)`: as `product`, of four. */
export const product4 = `
fn product4(a: vec4f, b: vec4f) -> vec4f { return bitcast<vec4f>(bitcast<vec4u>(a * b) | vec4u(p.zero)); }
`;

/** `expf(x)`. */
export const expf = expOf('expf', 'f32', 'product');
/** `expf4(x: vec4f)`; needs {@link product4}. */
export const expf4 = expOf('expf4', 'vec4f', 'product4');

/** `tanhf(x)`; needs {@link expf}. */
export const tanhf = `
fn tanhf(x: f32) -> f32 { return 1 - 2 / (expf(2 * x) + 1); }
`;

/** `softcapf(x, cap, inverse)`, inverse = f32(1 / cap); needs {@link tanhf}. */
export const softcapf = `
fn softcapf(x: f32, cap: f32, inverse: f32) -> f32 { return product(cap, tanhf(product(x, inverse))); }
`;

/** `softcapf4(x: vec4f, cap: f32, inverse: f32)`; needs {@link expf4}. */
export const softcapf4 = `
fn softcapf4(x: vec4f, cap: f32, inverse: f32) -> vec4f {
  let t = 1 - 2 / (expf4(2 * product4(x, vec4f(inverse))) + 1);
  return product4(vec4f(cap), t);
}
`;

/** e^x by Cephes' polynomial; 2^n is put together from bits. */
function expOf(name: string, type: 'f32' | 'vec4f', product: string): string {
  const [ints, words] = type === 'f32' ? ['i32', 'u32'] : ['vec4i', 'vec4u'];
  const of = (value: number) => `${type}(${value})`;
  return `
fn ${name}(x: ${type}) -> ${type} {
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
  return y * bitcast<${type}>(power);
}
`;
}

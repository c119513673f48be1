/** The functions of docs/numerics.md in WGSL, for a kernel's declarations behind `exactArithmetic`: each step rounded on its own. */
const f = Math.fround;

const polynomial = [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1];

export const activations = `
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

fn exp_(x: f32) -> f32 {
  let bounded = clamp(x, -87.0, 88.0);
  let n = round(bounded * ${f(Math.LOG2E)});
  let r = (bounded - product(n, ${f(0.693359375)})) - product(n, ${f(-2.1219444e-4)});
  var y = f32(${f(polynomial[0]!)});
${polynomial
  .slice(1)
  .map(constant => `  y = product(y, r) + ${f(constant)};`)
  .join('\n')}
  y = (product(y, r * r) + r) + 1.0;
  return select(y * bitcast<f32>(u32(i32(n) + 127) << 23u), x, isNan(x));
}

fn tanh_(u: f32) -> f32 { return kept(1.0 - divide(2.0, exp_(2.0 * u) + 1.0)); }

fn silu(x: f32) -> f32 { return divide(x, 1.0 + exp_(-x)); }

fn gelu(x: f32) -> f32 {
  let inner = x + product(${f(0.044715)}, product(x, x) * x);
  return (0.5 * x) * (1.0 + tanh_(${f(0.79788456)} * inner));
}

fn softcap_(x: f32, cap: f32, inverse: f32) -> f32 { return cap * tanh_(x * inverse); }
`;

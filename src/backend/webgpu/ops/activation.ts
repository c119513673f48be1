/** The activations of docs/numerics.md in WGSL, for a kernel's declarations behind `exactArithmetic`: each step rounded on its own. */
import type { Gate } from '../../backend.ts';
import { mathOf } from '../math.ts';

const f = Math.fround;

export const activations = `${mathOf(1)}
fn silu(x: f32) -> f32 { return divide(x, 1.0 + exps(-x)); }

fn sigmoid(x: f32) -> f32 { return divide(1.0, 1.0 + exps(-x)); }

fn relu2(x: f32) -> f32 { return max(x, 0.0) * max(x, 0.0); }

fn linear(x: f32) -> f32 { return x; }

fn gelu(x: f32) -> f32 {
  let inner = x + product(${f(0.044715)}, product(x, x) * x);
  return (0.5 * x) * (1.0 + tanhs(${f(0.79788456)} * inner));
}

fn swiglu_oai(x: f32) -> f32 {
  let clamped = min(x, 7.0);
  return divide(clamped, 1.0 + exps(product(${f(1.702)}, -clamped)));
}
`;

/** Behind `activations`. ln(1 + y), y in [0, 1], as 2 atanh(y / (2 + y)). */
export const softplus = `
fn log1p(y: f32) -> f32 {
  let s = divide(y, 2.0 + y);
  let square = product(s, s);
  var q = ${f(1 / 15)};
${[13, 11, 9, 7, 5, 3].map(n => `  q = product(q, square) + ${f(1 / n)};`).join('\n')}
  return 2.0 * (s + product(s, product(square, q)));
}

fn softplus(x: f32) -> f32 { return max(x, 0.0) + log1p(exps(-abs(x))); }
`;

/** What a gate gives, in the names of what it takes. */
export const gatedBy = (kind: Gate, gate: string, up: string): string =>
  kind === 'swiglu_oai' ? `${kind}(${gate}) * (clamp(${up}, -7.0, 7.0) + 1.0)` : `${kind}(${gate}) * ${up}`;

/**
 * Division and square root with IEEE's bits. WGSL allows 2.5 ULP for one and more for the other; here the device's own result is
 * an estimate that integers put right: a remainder is small, so its lowest 32 bits are enough. WGSL for a kernel's declarations.
 */

/** How `divide` and `root` come by their estimates, at most 4 ULP off; other ones are for tests. */
export interface Estimates {
  /** Of x / y, with x and y in [2^23, 2^24). */
  readonly quotient: string;
  /** Of the square root of x, which is in [2^46, 2^48). */
  readonly root: string;
}

/**
 * `divide(a, b)` is a / b rounded once, and `root(a)` the square root of a; both as the device has them where an operand or the
 * result is subnormal, infinite or no number.
 */
export const exactArithmetic = ({ quotient, root }: Estimates = { quotient: 'x / y', root: 'sqrt(x)' }): string => `
fn divide(a: f32, b: f32) -> f32 {
  let numerator = bitcast<u32>(a);
  let denominator = bitcast<u32>(b);
  let ea = (numerator >> 23u) & 0xffu;
  let eb = (denominator >> 23u) & 0xffu;
  let ma = (numerator & 0x7fffffu) | 0x800000u;
  let mb = (denominator & 0x7fffffu) | 0x800000u;
  // The quotient's 24 bits begin with a one.
  let shift = select(23u, 24u, ma < mb);
  let exponent = i32(ea) - i32(eb) + 150 - i32(shift);
  if (ea == 0u || ea == 255u || eb == 0u || eb == 255u || exponent < 1 || exponent > 253) { return a / b; }
  let x = f32(ma);
  let y = f32(mb);
  var q = u32((${quotient}) * f32(1u << shift));
  var rest = bitcast<i32>((ma << shift) - q * mb);
  let step = i32(mb);
  for (var i = 0; i < 9 && rest < 0; i++) { q -= 1u; rest += step; }
  for (var i = 0; i < 9 && rest >= step; i++) { q += 1u; rest -= step; }
  // There are no ties: a quotient of 25 bits would end in a one, and so would the product with it.
  q += select(0u, 1u, 2 * rest > step);
  return bitcast<f32>(((numerator ^ denominator) & 0x80000000u) | ((u32(exponent) << 23u) + q - 0x800000u));
}

fn root(a: f32) -> f32 {
  let bits = bitcast<u32>(a);
  let exponent = bits >> 23u;
  if (exponent == 0u || exponent >= 255u) { return sqrt(a); }
  // The biased exponent is odd where the true one is even.
  let m = ((bits & 0x7fffffu) | 0x800000u) << (1u - (exponent & 1u));
  let x = f32(m) * 8388608.0;
  var s = u32(${root});
  var rest = bitcast<i32>((m << 23u) - s * s);
  for (var i = 0; i < 9 && rest < 0; i++) { s -= 1u; rest += 2 * i32(s) + 1; }
  for (var i = 0; i < 9 && rest > 2 * i32(s); i++) { rest -= 2 * i32(s) + 1; s += 1u; }
  s += select(0u, 1u, rest > i32(s));
  return bitcast<f32>((((exponent + 127u) >> 1u) << 23u) + s - 0x800000u);
}
`;

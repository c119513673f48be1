/** Division that is rounded to nearest even. */

/**
 * `divide(a, b)`: WGSL promises a quotient within 2.5 units of its last place. What is left over, a - quotient * b, is a small
 * integer in units of its last place, so integers that wrap at 32 bits have it exactly, and tell where the quotient has to go. It
 * never lies in the middle between two floats. Numbers that are not normal are divided as the device does.
 */
export const divisionCode = `
fn nearestQuotient(near: u32, a: u32, b: u32) -> u32 {
  let ma = (a & 0x7fffff) | 0x800000;
  let mb = (b & 0x7fffff) | 0x800000;
  var q = near;
  for (var i = 0; i < 3; i++) {
    let mq = (q & 0x7fffff) | 0x800000;
    let left = i32((ma << ((a >> 23) + 150 - (b >> 23) - (q >> 23))) - mq * mb);
    // Below a power of two the floats lie twice as close.
    if (2 * left > i32(mb)) { q += 1; } else if (select(2, 4, mq == 0x800000) * left < -i32(mb)) { q -= 1; }
  }
  return q;
}
fn normal(u: u32) -> bool { return u >= 0x00800000 && u < 0x7f800000; }
fn divide(a: f32, b: f32) -> f32 {
  let ua = bitcast<u32>(a) & 0x7fffffff;
  let ub = bitcast<u32>(b) & 0x7fffffff;
  let quotient = bitcast<u32>(a / b);
  let near = quotient & 0x7fffffff;
  if (!normal(ua) || !normal(ub) || !normal(near)) { return bitcast<f32>(quotient); }
  return bitcast<f32>(nearestQuotient(near, ua, ub) | (quotient & 0x80000000));
}`;

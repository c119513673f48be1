/** f16 in WGSL without `enable f16`: two of them are a word. */

/** `halfBits(x: f32) -> u32`: x as f16, at most ±65504, to nearest even; what is no number stays none. Integers, so that no driver rounds otherwise. */
export const halfBits = `
fn halfBits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let magnitude = min(bits & 0x7fffffffu, 0x477fe000u);
  let normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u;
  let small = u32(round(bitcast<f32>(magnitude) * 16777216.0));
  let half = select(normal, small, magnitude < 0x38800000u);
  return ((bits >> 16u) & 0x8000u) | select(half, 0x7e00u, (bits & 0x7fffffffu) > 0x7f800000u);
}
`;

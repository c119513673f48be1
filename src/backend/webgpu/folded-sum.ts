/** Sums over columns in the order of docs/numerics.md: 16 partial sums, folded in halves. */

/** Terms that are in workgroup memory at once; a multiple of 16. */
const tile = 1024;

/** Workgroup variables of all of a kernel's folded sums. */
export const foldedSumVariables = `
var<workgroup> terms: array<f32, ${tile}>;
var<workgroup> partials: array<f32, 16>;
`;

/**
 * WGSL of `name(at, columns, lane, shift)`: the sum of `term` over x, the words from `at` on. All `lanes` of a workgroup call it
 * and have the result. They make the terms together; then 16 of them add, each its own chain.
 */
export const foldedSum = (name: string, lanes: number, term: string): string => `
fn ${name}(at: u32, columns: u32, lane: u32, shift: f32) -> f32 {
  var partial = 0.0;
  for (var start = 0u; start < columns; start += ${tile}u) {
    let count = min(${tile}u, columns - start);
    workgroupBarrier();
    for (var i = lane; i < count; i += ${lanes}u) {
      let x = bitcast<f32>(work[at + start + i]);
      terms[i] = ${term};
    }
    workgroupBarrier();
    if (lane < 16u) {
      for (var i = lane; i < count; i += 16u) { partial = partial + terms[i]; }
    }
  }
  if (lane < 16u) { partials[lane] = partial; }
  workgroupBarrier();
  var sums = partials;
  for (var half = 8u; half > 0u; half /= 2u) {
    for (var j = 0u; j < half; j++) { sums[j] = sums[j] + sums[j + half]; }
  }
  return sums[0];
}
`;

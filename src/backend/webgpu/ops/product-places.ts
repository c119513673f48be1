/**
 * Which rows of weights a workgroup multiplies with which tokens. With `all`, every row with every token. With `experts`, the
 * tokens of an expert, which have slots beside each other, with its rows; who has which is known when the kernel runs.
 */
export type Which = 'all' | 'experts';

/**
 * - `placeOf(number)`: workgroup number's tokens (or slots), at most `most`; what its expert's rows are behind
 * - `weightRow(row, base)`: an output's row in the buffer of weights, or another one if that has it not: see `has`
 * - `inputOf(token)`: its input's row
 */
export function placeCode(which: Which, most: number): string {
  return `struct Place { base: u32, first: u32, count: u32 }\n${which === 'all' ? allCode(most) : expertsCode(most)}`;
}

const allCode = (most: number): string => `
fn placeOf(number: u32) -> Place { return Place(0, number * ${most}, min(${most}, p.tokens - number * ${most})); }
fn weightRow(row: u32, base: u32) -> u32 { return min(row, matrix.rows - 1); }
fn has(row: u32, base: u32) -> bool { return row < matrix.rows; }
fn inputOf(token: u32) -> u32 { return token; }`;

/** Differences below zero are large numbers. Experts of few slots leave workgroups without any. */
const expertsCode = (most: number): string => `
fn placeOf(number: u32) -> Place {
  var left = number;
  for (var expert = 0u; expert < p.experts; expert++) {
    let first = work[p.starts + expert];
    let count = work[p.starts + expert + 1] - first;
    let places = (count + ${most - 1}) / ${most};
    if (left < places) { return Place(expert * p.outRows, first + left * ${most}, min(${most}, count - left * ${most})); }
    left -= places;
  }
  return Place(0, 0, 0);
}
fn weightRow(row: u32, base: u32) -> u32 { return min(base + row - matrix.first, matrix.rows - 1); }
fn has(row: u32, base: u32) -> bool { return row < p.outRows && base + row - matrix.first < matrix.rows; }
fn inputOf(slot: u32) -> u32 {
  if (p.fromTokens == 0) { return slot; }
  return work[p.tokenOf + slot];
}`;

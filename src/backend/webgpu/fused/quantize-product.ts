/**
 * Few tokens are quantised by each workgroup that multiplies them: little work again and again, in place of a dispatch that
 * everything waits for. A lane has eight columns of a segment.
 */
import { segmentColumns } from '../../../quant/segment.ts';
import { type Dispatch, type Fusion, paramsOf } from '../dispatch.ts';
import { exactArithmetic } from '../exact.ts';
import { each, segmentPieces } from '../ops/product-code.ts';
import { type Extra, type FewShape, fewFamily } from '../ops/product-few.ts';
import { fewWith } from '../ops/product-kernels.ts';
import { quantizeKernels } from '../ops/quantize.ts';

/** A product goes through more of them in turns, and would quantise in each. */
const mostTokens = 4;
/** Such kernels share up to 26 KB: what products of few tokens share, and their inputs. */
const wantedBytes = 32 << 10;
const laneColumns = 8;
const lanes = segmentColumns / laneColumns;

/** Parts of the inputs, a segment of a token each, number t * segments + s. */
function declarations({ form, tokens, segments }: FewShape): string {
  const parts = tokens * segments;
  const numbers = Array.from({ length: parts }, (_, i) => i);
  const part = (i: number | string) =>
    `eightOf(tokens[${i} / ${segments}], (first + ${i} % ${segments}) * ${segmentColumns} + lane * ${laneColumns})`;
  return `${exactArithmetic()}
// [parts][lanes]; [parts][pieces] where these share a scale
var<workgroup> peaks: array<f32, ${parts * lanes}>;
// [parts][8][pieces]: four codes in a word
var<workgroup> quantised: array<u32, ${parts * 8 * segmentPieces}>;
// [parts][lanes]
var<workgroup> codeSums: array<i32, ${parts * lanes}>;
// [parts][blocks]
var<workgroup> scales: array<f32, ${(parts * segmentPieces) / form.pieces}>;
struct Eight { a: vec4f, b: vec4f }
fn eightOf(token: u32, column: u32) -> Eight {
  if (column >= p.columns) { return Eight(vec4f(0), vec4f(0)); }
  let at = p.in_x + token * p.in_stride + column;
  return Eight(
    bitcast<vec4f>(vec4u(work[at], work[at + 1], work[at + 2], work[at + 3])),
    bitcast<vec4f>(vec4u(work[at + 4], work[at + 5], work[at + 6], work[at + 7])),
  );
}
fn peakOf(x: Eight) -> f32 {
  let most = max(abs(x.a), abs(x.b));
  return max(max(most.x, most.y), max(most.z, most.w));
}
fn bytesOf(q: vec4i) -> u32 {
  let bytes = vec4u(q) & vec4u(255);
  return bytes.x | (bytes.y << 8) | (bytes.z << 16) | (bytes.w << 24);
}
fn quantizePart(part: u32, x: Eight, lane: u32) {
  let first = part * ${lanes} + lane / ${4 * form.pieces} * ${4 * form.pieces};
  var peak = 0.0;
  for (var i = 0u; i < ${4 * form.pieces}; i += ${form.pieces === 1 ? 1 : 4}) { peak = max(peak, peaks[first + i]); }
  let d = divide(peak, 127);
  var inverse = 0.0;
  if (d >= 1e-30) { inverse = divide(1, d); }
  let a = vec4i(round(x.a * inverse));
  let b = vec4i(round(x.b * inverse));
  let at = part * ${8 * segmentPieces} + lane % 4 * ${2 * segmentPieces} + lane / 4;
  quantised[at] = bytesOf(a);
  quantised[at + ${segmentPieces}] = bytesOf(b);
  codeSums[part * ${lanes} + lane] = a.x + a.y + a.z + a.w + b.x + b.y + b.z + b.w;
  if (lane % ${4 * form.pieces} == 0) { scales[part * ${segmentPieces / form.pieces} + lane / ${4 * form.pieces}] = d; }
}
fn quantizeSegments(lane: u32, tokens: array<u32, ${tokens}>, first: u32) {
  ${each(parts, i => `let x${i} = ${part(i)};`)}
  ${each(parts, i => `peaks[${i * lanes} + lane] = peakOf(x${i});`)}
  workgroupBarrier();
  ${form.pieces === 1 ? '' : peaksOfPieces(numbers)}
  // A loop, and numbers that are read again: drivers compile divisions one behind the other for minutes.
  for (var i = 0u; i < ${parts}; i++) { quantizePart(i, ${part('i')}, lane); }
  workgroupBarrier();
}
fn pieceOf(t: u32, token: u32, piece: u32, s: u32) -> Input {
  let part = t * ${segments} + s;
  let own = piece % ${segmentPieces};
  let at = part * ${8 * segmentPieces} + own;
  let sums = part * ${lanes} + own * 4;
  return Input(
    Piece(
      vec4u(${[0, 1, 2, 3].map(i => `quantised[at + ${i * segmentPieces}]`).join(', ')}),
      vec4u(${[4, 5, 6, 7].map(i => `quantised[at + ${i * segmentPieces}]`).join(', ')}),
    ),
    vec2i(codeSums[sums] + codeSums[sums + 1], codeSums[sums + 2] + codeSums[sums + 3]),
  );
}
fn scaleOf(t: u32, token: u32, piece: u32, s: u32) -> f32 {
  return scales[(t * ${segments} + s) * ${segmentPieces / form.pieces} + piece % ${segmentPieces} / blockPieces];
}`;
}

/** A piece's first lane has the largest of its four. */
const peaksOfPieces = (parts: readonly number[]): string => `
  if (lane % 4 == 0) {
    ${parts
      .map(part => {
        const of = (i: number) => `peaks[${part * lanes + i} + lane]`;
        return `${of(0)} = max(max(${of(0)}, ${of(1)}), max(${of(2)}, ${of(3)}));`;
      })
      .join('\n    ')}
  }
  workgroupBarrier();`;

export const quantizeProduct = [...quantizeKernels.values()].map((quantize): Fusion => {
  const extra: Extra = {
    name: 'quantize',
    params: product => ({ ...(paramsOf({ in: quantize }) as typeof product), ...product }),
    declarations,
    prepare: 'quantizeSegments(lane, inputs, first);',
  };
  return {
    kernels: [quantize, fewFamily],
    fuse: (parts, { next, workgroupBytes }) => {
      const [, product] = parts as readonly [Dispatch, Dispatch];
      const { x, tokens } = product.params;
      // Others may multiply the same.
      if (tokens! > mostTokens || next?.params.x === x || workgroupBytes < wantedBytes) return;
      const { groups, buffers } = product;
      return { kernel: fewWith(product.kernel, extra), groups, params: {}, buffers, parts };
    },
  };
});

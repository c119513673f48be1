/**
 * Integer weights times many tokens, in tiles. Weights and inputs of a few pieces go through workgroup memory, unpacked once for
 * all of the tile; an invocation has 4 x 4 outputs and adds to each the terms of one block after the other.
 */
import type { QuantType } from '../../../quant/types.ts';
import { defineKernel, type Kernel, keptEach } from '../kernel.ts';
import { type Form, formOf, halfCode, weightCode, weightsBindings } from '../weight-code.ts';
import {
  each,
  integerCode,
  matrixCode,
  type ProductParams,
  productParams,
  segmentPieces,
  startCode,
} from './product-code.ts';
import { placeCode, type Which } from './product-places.ts';

/** To be tuned on a device: 16 x 16 invocations with 4 x 4 outputs each; pieces between barriers, for 13 KB of workgroup memory. */
export const tileRows = 64;
export const tileTokens = 64;
const step = 2;
const side = 16;

export function tileProduct(type: QuantType, which: Which, matrices: number, packed: boolean): Kernel<ProductParams> {
  const form = formOf(type);
  return defineKernel({
    name: `${type} times many tokens`,
    params: productParams(matrices),
    bindings: weightsBindings(matrices),
    workgroup: side * side,
    declarations: [
      halfCode,
      weightCode(type),
      integerCode(form, 0, packed),
      matrixCode(matrices),
      placeCode(which, tileTokens),
      stageCode(form),
    ].join('\n'),
    main: mainOf(form),
  });
}

/** An invocation brings a piece of a row, or of a token: half of them these, half of them those. */
function stageCode({ pieces }: Form): string {
  return `
const blockPieces = ${pieces}u;
var<workgroup> weightA: array<vec4u, ${step * tileRows}>;
var<workgroup> weightB: array<vec4u, ${step * tileRows}>;
var<workgroup> weightParts: array<Parts, ${step * tileRows}>;
var<workgroup> weightNumbers: array<vec2f, ${step * tileRows}>;
var<workgroup> inputA: array<vec4u, ${step * tileTokens}>;
var<workgroup> inputB: array<vec4u, ${step * tileTokens}>;
var<workgroup> inputSums: array<vec2i, ${step * tileTokens}>;
var<workgroup> inputScales: array<f32, ${step * tileTokens}>;
fn stageWeights(to: u32, g: u32) {
  let w = values(g);
  weightA[to] = w.a;
  weightB[to] = w.b;
  weightParts[to] = parts(g);
  weightNumbers[to] = numbers(g / blockPieces);
}
fn stageInput(to: u32, token: u32, piece: u32) {
  let x = input(token, piece);
  inputA[to] = x.q.a;
  inputB[to] = x.q.b;
  inputSums[to] = x.sums;
  inputScales[to] = inputScale(token, piece / blockPieces);
}
fn staged(at: u32) -> Input { return Input(Piece(inputA[at], inputB[at]), inputSums[at]); }${keptEach}`;
}

/** Invocation (tx, ty) has rows tx + 16 i and tokens ty + 16 j: neighbours write neighbouring outputs. */
function mainOf(form: Form): string {
  return `${startCode(tileRows)}
  let pieces = p.columns / 32;
  let tx = lane % ${side};
  let ty = lane / ${side};
  ${each(4, i => `var acc${i} = vec4f(0); var total${i} = vec4f(0); var products${i} = vec4i(0); var minimums${i} = vec4i(0);`)}
  for (var first = 0u; first < pieces; first += ${step}) {
    let brought = lane / ${step} % ${tileRows};
    let piece = min(first + lane % ${step}, pieces - 1);
    let to = lane % ${step} * ${tileRows} + brought;
    workgroupBarrier();
    if (lane < ${step * tileRows}) {
      stageWeights(to, weightRow(firstRow + brought, place.base) * pieces + piece);
    } else {
      stageInput(to, inputOf(place.first + min(brought, max(place.count, 1) - 1)), piece);
    }
    workgroupBarrier();
    for (var s = 0u; s < min(${step}, pieces - first); s++) {
      ${each(4, j => `let x${j} = staged(s * ${tileTokens} + ty + ${side * j});`)}
      let d = vec4f(${[0, 1, 2, 3].map(j => `inputScales[s * ${tileTokens} + ty + ${side * j}]`).join(', ')});
      ${each(4, i => rowCode(form, i))}
      if ((first + s + 1) % ${segmentPieces} == 0 || first + s + 1 == pieces) {
        let start = first + s < ${segmentPieces};
        ${each(4, i => `total${i} = select(total${i} + acc${i}, acc${i}, start); acc${i} = vec4f(0);`)}
      }
    }
  }
  for (var j = 0u; j < 4; j++) {
    let token = ty + ${side} * j;
    if (token < place.count) {
      ${each(4, i => `if (has(firstRow + tx + ${side * i}, place.base)) { store(place.first + token, firstRow + tx + ${side * i}, total${i}[j]); }`)}
    }
  }`;
}

/** What a piece adds to the sums of row i and four tokens; with large blocks the last of eight. */
function rowCode({ pieces, minimumOf }: Form, i: number): string {
  const at = `s * ${tileRows} + tx + ${side * i}`;
  const [w, n, found] = [`w${i}`, `n${i}`, (j: number) => `i${i}${j}`];
  const four = (part: 'x' | 'y') => `vec4i(${[0, 1, 2, 3].map(j => `${found(j)}.${part}`).join(', ')})`;
  const integers = `
      let ${w} = Piece(weightA[${at}], weightB[${at}]);
      let of${i} = weightParts[${at}];
      let ${n} = weightNumbers[${at}];
      ${each(4, j => `let ${found(j)} = integers(${w}, of${i}, x${j});`)}`;
  const terms = (products: string, minimums: string) => `
        acc${i} += keptEach(vec4f(${products}) * keptEach(${n}.x * d));
        ${
          {
            none: '',
            block: `acc${i} += keptEach(${n}.y * keptEach(d * vec4f(${minimums})));`,
            parts: `acc${i} -= keptEach(vec4f(${minimums}) * keptEach(${n}.y * d));`,
          }[minimumOf]
        }`;
  if (pieces === 1) return integers + terms(four('x'), four('y'));
  return `${integers}
      products${i} += ${four('x')};
      ${minimumOf === 'none' ? '' : `minimums${i} += ${four('y')};`}
      if ((first + s + 1) % ${pieces} == 0) {
        ${terms(`products${i}`, `minimums${i}`)}
        products${i} = vec4i(0);
        minimums${i} = vec4i(0);
      }`;
}

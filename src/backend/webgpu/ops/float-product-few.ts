/**
 * Weights that are floats times few tokens. A float's chain is as long as its segment, so an invocation has a row's segment for
 * itself; the invocations beside it have the next rows, whose weights lie beside its own.
 */

import { segmentColumns } from '../../../quant/segment.ts';
import { defineKernel, type Kernel, keptEach } from '../kernel.ts';
import { rowsTogether } from '../layout.ts';
import { type FloatType, floatCode, floatsOf, weightsBindings } from '../weight-code.ts';
import { each, fewTokens, matrixCode, type ProductParams, productParams, startCode } from './product-code.ts';
import { placeCode, type Which } from './product-places.ts';

/** To be tuned on a device: segments at once, and loads of 16 bytes that are under way together. */
const segments = 4;
const loads = 4;

export const floatFewRows = rowsTogether;

export function floatProductFew(type: FloatType, tokens: 1 | 4, which: Which, matrices: number): Kernel<ProductParams> {
  return defineKernel({
    name: `${type} times ${tokens === 1 ? 'a token' : 'few tokens'}`,
    params: productParams(matrices),
    bindings: weightsBindings(matrices),
    workgroup: segments * rowsTogether,
    declarations: [
      floatCode(type),
      matrixCode(matrices),
      placeCode(which, which === 'all' ? fewTokens : 1),
      chainCode(type, tokens),
    ].join('\n'),
    main: mainOf(tokens, which),
  });
}

function chainCode(type: FloatType, tokens: 1 | 4): string {
  const count = floatsOf[type];
  const value = tokens === 1 ? 'f32' : 'vec4f';
  const input = (column: string) => {
    const of = (token: string) => `bitcast<f32>(work[p.x + ${token} * p.perToken + ${column}])`;
    return tokens === 1 ? of('tokens') : `vec4f(${['x', 'y', 'z', 'w'].map(i => of(`tokens.${i}`)).join(', ')})`;
  };
  const kept = tokens === 1 ? 'kept' : 'keptEach';
  return `
alias Value = ${value};
alias Tokens = ${tokens === 1 ? 'u32' : 'vec4u'};
var<workgroup> sums: array<Value, ${segments * rowsTogether}>;
${tokens === 1 ? '' : keptEach}
fn multiply(sum: Value, u: vec4u, column: u32, tokens: Tokens) -> Value {
  var acc = sum;
  ${each(count, i => `acc += ${kept}(floatOf(u, ${i}) * ${input(`column + ${i}`)});`)}
  return acc;
}
// The row's last columns, where these are fewer.
fn multiplyLast(sum: Value, u: vec4u, column: u32, tokens: Tokens) -> Value {
  var acc = sum;
  ${each(count - 1, i => `if (column + ${i} < p.columns) { acc += ${kept}(floatOf(u, ${i}) * ${input(`column + ${i}`)}); }`)}
  return acc;
}
fn chainOf(row: u32, segment: u32, tokens: Tokens) -> Value {
  var acc = Value(0);
  var quad = segment * ${segmentColumns / count};
  let end = min((segment + 1) * ${segmentColumns / count}, p.columns / ${count});
  for (; quad + ${loads} <= end; quad += ${loads}) {
    ${each(loads, i => `let u${i} = floatQuad(row, quad + ${i});`)}
    ${each(loads, i => `acc = multiply(acc, u${i}, (quad + ${i}) * ${count}, tokens);`)}
  }
  for (; quad < end; quad++) { acc = multiply(acc, floatQuad(row, quad), quad * ${count}, tokens); }
  if (quad * ${count} < min((segment + 1) * ${segmentColumns}, p.columns)) {
    acc = multiplyLast(acc, floatQuad(row, quad), quad * ${count}, tokens);
  }
  return acc;
}`;
}

function mainOf(tokens: 1 | 4, which: Which): string {
  const own = (t: number) => `inputOf(place.first + min(firstToken + ${t}, tokenCount - 1))`;
  const inputs = tokens === 1 ? own(0) : `vec4u(${[0, 1, 2, 3].map(own).join(', ')})`;
  const store = (t: number) =>
    `if (firstToken + ${t} < count) { store(place.first + firstToken + ${t}, firstRow + lane, total${tokens === 1 ? '' : `[${t}]`}); }`;
  return `${startCode(rowsTogether)}
  let tokenCount = ${which === 'all' ? 'p.tokens' : '1u'};
  let slot = lane / ${rowsTogether};
  let row = weightRow(firstRow + lane % ${rowsTogether}, place.base);
  let segmentCount = (p.columns + ${segmentColumns - 1}) / ${segmentColumns};
  for (var firstToken = 0u; firstToken < tokenCount; firstToken += ${tokens}) {
    let inputs = ${inputs};
    var total = Value(0);
    for (var first = 0u; first < segmentCount; first += ${segments}) {
      if (first + slot < segmentCount) { sums[lane] = chainOf(row, first + slot, inputs); }
      workgroupBarrier();
      if (slot == 0) {
        for (var s = 0u; s < min(${segments}, segmentCount - first); s++) {
          let sum = sums[s * ${rowsTogether} + lane];
          total = select(total + sum, sum, first + s == 0);
        }
      }
      workgroupBarrier();
    }
    let count = min(tokenCount, place.count);
    if (slot == 0 && has(firstRow + lane, place.base)) {
      ${each(tokens, store)}
    }
  }`;
}

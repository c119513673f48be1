/** Weights that are floats times many tokens, in tiles: an invocation has 4 x 4 outputs, each a chain of its own. */

import { segmentColumns } from '../../../quant/segment.ts';
import { defineKernel, type Kernel, keptEach } from '../kernel.ts';
import { type FloatType, floatCode, floatsOf, weightsBindings } from '../weight-code.ts';
import { each, matrixCode, type ProductParams, productParams, startCode } from './product-code.ts';
import { placeCode, type Which } from './product-places.ts';
import { tileRows, tileTokens } from './product-tile.ts';

/** To be tuned on a device: columns between barriers. */
const step = 16;
const side = 16;
/** Words between columns: neighbours write different banks. */
const stride = 65;

export function floatProductTile(type: FloatType, which: Which, matrices: number): Kernel<ProductParams> {
  return defineKernel({
    name: `${type} times many tokens`,
    params: productParams(matrices),
    bindings: weightsBindings(matrices),
    workgroup: side * side,
    declarations: [floatCode(type), matrixCode(matrices), placeCode(which, tileTokens), stageCode(type)].join('\n'),
    main,
  });
}

/** What is behind the last column is zero, and changes no sum. */
function stageCode(type: FloatType): string {
  const count = floatsOf[type];
  const quads = step / count;
  return `
var<workgroup> weightTile: array<f32, ${step * stride}>;
var<workgroup> inputTile: array<f32, ${step * stride}>;
${keptEach}
fn stage(lane: u32, firstRow: u32, place: Place, column: u32) {
  let row = lane % ${tileRows};
  let quad = lane / ${tileRows};
  if (quad < ${quads}) {
    var u = vec4u(0);
    if (column + quad * ${count} < p.columns) {
      u = floatQuad(weightRow(firstRow + row, place.base), column / ${count} + quad);
    }
    ${each(count, i => `weightTile[(quad * ${count} + ${i}) * ${stride} + row] = floatOf(u, ${i});`)}
  }
  for (var n = lane; n < ${step * tileTokens}; n += ${side * side}) {
    let k = n % ${step};
    let token = n / ${step};
    let origin = p.x + inputOf(place.first + min(token, max(place.count, 1) - 1)) * p.perToken;
    var x = 0.0;
    if (column + k < p.columns) { x = bitcast<f32>(work[origin + column + k]); }
    inputTile[k * ${stride} + token] = x;
  }
}`;
}

const main = `${startCode(tileRows)}
  let tx = lane % ${side};
  let ty = lane / ${side};
  ${each(4, i => `var acc${i} = vec4f(0); var total${i} = vec4f(0);`)}
  for (var column = 0u; column < p.columns; column += ${step}) {
    workgroupBarrier();
    stage(lane, firstRow, place, column);
    workgroupBarrier();
    for (var k = 0u; k < ${step}; k++) {
      let w = k * ${stride} + tx;
      let t = k * ${stride} + ty;
      let x = vec4f(${[0, 1, 2, 3].map(j => `inputTile[t + ${side * j}]`).join(', ')});
      ${each(4, i => `acc${i} += keptEach(weightTile[w + ${side * i}] * x);`)}
    }
    if ((column + ${step}) % ${segmentColumns} == 0 || column + ${step} >= p.columns) {
      let start = column < ${segmentColumns};
      ${each(4, i => `total${i} = select(total${i} + acc${i}, acc${i}, start); acc${i} = vec4f(0);`)}
    }
  }
  for (var j = 0u; j < 4; j++) {
    let token = ty + ${side} * j;
    if (token < place.count) {
      ${each(4, i => `if (has(firstRow + tx + ${side * i}, place.base)) { store(place.first + token, firstRow + tx + ${side * i}, total${i}[j]); }`)}
    }
  }`;

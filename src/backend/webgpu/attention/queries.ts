/** WGSL that reads the scaled queries of a tile, and what each of them sees. */
import type { Shape } from './geometry.ts';

export const startQueries = ({ headDim, quads, lanes }: Shape): string => `
  for (var i = lane; i < ${headDim * quads}; i += ${lanes}) {
    let d = i % ${headDim};
    let quad = i / ${headDim};
    var values = vec4f();
    for (var k = 0u; k < 4; k++) {
      let query = quad * 4 + k;
      let r = query / p.together;
      let head = query % p.together;
      if (r < rows && head < heads) {
        values[k] = work[p.q + (row + r) * p.qStride + (firstHead + head) * ${headDim} + d] * p.scale;
      }
    }
    queries[d * ${quads} + quad] = values;
  }
  if (lane < ${quads}) {
    var to = vec4i(-1);
    for (var k = 0u; k < 4; k++) {
      let query = lane * 4 + k;
      if (query / p.together < rows && query % p.together < heads) { to[k] = i32(position + query / p.together); }
    }
    seenTo[lane] = to;
    seenFrom[lane] = select(vec4i(0), to + 1 - vec4i(i32(p.window)), vec4<bool>(p.window > 0));
    totalMax[lane] = lowest;
    totalSum[lane] = vec4f();
    splitMax[lane] = lowest;
    splitSum[lane] = vec4f();
  }`;

/** WGSL that reads the scaled queries of a tile, and what each of them sees. */
import { componentOf, type Shape } from './geometry.ts';

export const startQueries = (s: Shape): string => `
  for (var i = lane; i < ${s.headDim * s.vectors}; i += ${s.lanes}) {
    let d = i % ${s.headDim};
    let vector = i / ${s.headDim};
    var values = Reals();
${components(
  s,
  k => `    {
      let query = vector * ${s.width} + ${k};
      let r = query / p.together;
      let head = query % p.together;
      if (r < rows && head < heads) {
        ${componentOf(s, 'values', k)} = queryAt(row + r, (firstHead + head) * ${s.headDim} + d) * p.scale;
      }
    }`,
)}
    queries[d * ${s.vectors} + vector] = values;
  }
  if (lane < ${s.vectors}) {
    var to = Ints(-1);
${components(
  s,
  k => `    {
      let query = lane * ${s.width} + ${k};
      let r = query / p.together;
      if (r < rows && query % p.together < heads) { ${componentOf(s, 'to', k)} = i32(position + r); }
    }`,
)}
    // Nothing where there is no query.
    seenTo[lane] = select(Ints(-1), min(to + i32(p.ahead), Ints(i32(end))), to >= Ints(0));
    seenFrom[lane] = max(to - i32(p.behind), Ints(0));
    totalMax[lane] = lowest;
    totalSum[lane] = Reals();
    splitMax[lane] = lowest;
    splitSum[lane] = Reals();
  }`;

const components = ({ width }: Shape, line: (k: number) => string): string =>
  Array.from({ length: width }, (_, k) => line(k)).join('\n');

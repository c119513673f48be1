/** WGSL of a block's scores: a lane makes those of a word's positions for a vector of queries, each in one chain, dimensions ascending. */
import type { Shape } from './geometry.ts';

export function scorePhase(s: Shape): string {
  const inBlock = s.positions / s.inWord;
  const sums = Array.from({ length: s.inWord }, (_, i) => i);
  return `
      if (lane < ${s.pages}) { pageAt[lane] = tables[pages + min(start / 32 + lane, high / 32)] * p.pageWords; }
      for (var unit = lane; unit < ${inBlock * s.vectors}; unit += ${s.lanes}) {
        let inBlock = unit % ${inBlock} * ${s.inWord};
        let vector = unit / ${inBlock};
        let page = (start + inBlock) / 32;
        if (page < low / 32 || page > high / 32) { continue; }
        let keys = tables[pages + page] * p.pageWords + keysAt;
        let inPage = inBlock % 32;
        var at = keys + inPage / ${s.inWord};
${sums.map(i => `        var sum${i} = Reals();`).join('\n')}
${s.type === 'F16' ? halves(s) : bytes(s)}
${sums.map(i => `        scores[(inBlock + ${i}) * ${s.vectors} + vector] = sum${i};`).join('\n')}
      }
${s.capped ? cap(s) : ''}`;
}

const cap = ({ positions, vectors, lanes }: Shape): string => `
      workgroupBarrier();
      for (var unit = lane; unit < ${positions * vectors}; unit += ${lanes}) {
        scores[unit] = softcaps(scores[unit], p.cap, p.inverse);
      }`;

/** Numbers of the dimensions whose words are asked for at once. */
const together = ({ headDim, inFlight }: Shape): number[] =>
  Array.from({ length: [32, 16, 8, 4].find(each => each <= inFlight && headDim % each === 0)! }, (_, i) => i);

function halves(s: Shape): string {
  const { headDim, vectors } = s;
  const dims = together(s);
  return `
        for (var d = 0u; d < ${headDim}; d += ${dims.length}) {
${dims.map(i => `          let k${i} = unpack2x16float(cache[at + ${16 * i}]);`).join('\n')}
${dims
  .map(
    i => `          let q${i} = queries[(d + ${i}) * ${vectors} + vector];
          sum0 += products(q${i}, Reals(k${i}.x));
          sum1 += products(q${i}, Reals(k${i}.y));`,
  )
  .join('\n')}
          at += ${16 * dims.length};
        }`;
}

function bytes(s: Shape): string {
  const { headDim, vectors, scalesAt } = s;
  const dims = together(s);
  return `
        for (var d = 0u; d < ${headDim}; d += ${dims.length}) {
          let scales = keys + ${scalesAt} + d / 32 * 32 + inPage;
          let scale = bitcast<vec4f>(vec4u(cache[scales], cache[scales + 1], cache[scales + 2], cache[scales + 3]));
${dims.map(i => `          let w${i} = cache[at + ${8 * i}];`).join('\n')}
${dims
  .map(
    i => `          let k${i} = bytesOf(w${i}, scale);
          let q${i} = queries[(d + ${i}) * ${vectors} + vector];
${[0, 1, 2, 3].map(j => `          sum${j} += products(q${i}, Reals(k${i}[${j}]));`).join('\n')}`,
  )
  .join('\n')}
          at += ${8 * dims.length};
        }`;
}

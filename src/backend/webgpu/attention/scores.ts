/** WGSL of a block's scores: a lane makes those of a word's positions for four queries, each in one chain, dimensions ascending. */
import type { Shape } from './geometry.ts';

export function scorePhase(s: Shape): string {
  const inBlock = s.positions / s.inWord;
  const sums = Array.from({ length: s.inWord }, (_, i) => i);
  return `
      for (var unit = lane; unit < ${inBlock * s.quads}; unit += ${s.lanes}) {
        let inBlock = unit % ${inBlock} * ${s.inWord};
        let quad = unit / ${inBlock};
        let page = (start + inBlock) / 32;
        if (page < low / 32 || page > high / 32) { continue; }
        let keys = tables[pages + page] * p.pageWords + keysAt;
        let inPage = inBlock % 32;
        var at = keys + inPage / ${s.inWord};
${sums.map(i => `        var sum${i} = vec4f();`).join('\n')}
${s.type === 'F16' ? halves(s) : bytes(s)}
        if (p.cap > 0) {
${sums.map(i => `          sum${i} = softcapf4(sum${i}, p.cap, p.inverse);`).join('\n')}
        }
${sums.map(i => `        scores[(inBlock + ${i}) * ${s.quads} + quad] = sum${i};`).join('\n')}
      }`;
}

const eight = [0, 1, 2, 3, 4, 5, 6, 7];

/** Eight words are asked for before the first is used. */
const halves = ({ headDim, quads }: Shape): string => `
        for (var d = 0u; d < ${headDim}; d += 8) {
${eight.map(i => `          let k${i} = unpack2x16float(cache[at + ${16 * i}]);`).join('\n')}
${eight
  .map(
    i => `          let q${i} = queries[(d + ${i}) * ${quads} + quad];
          sum0 += product4(q${i}, vec4f(k${i}.x));
          sum1 += product4(q${i}, vec4f(k${i}.y));`,
  )
  .join('\n')}
          at += 128;
        }`;

const bytes = ({ headDim, quads, scalesAt }: Shape): string => `
        for (var d = 0u; d < ${headDim}; d += 8) {
          let scales = keys + ${scalesAt} + d / 32 * 32 + inPage;
          let scale = bitcast<vec4f>(vec4u(cache[scales], cache[scales + 1], cache[scales + 2], cache[scales + 3]));
${eight.map(i => `          let w${i} = cache[at + ${8 * i}];`).join('\n')}
${eight
  .map(
    i => `          let k${i} = product4(bytesOf(w${i}), scale);
          let q${i} = queries[(d + ${i}) * ${quads} + quad];
${[0, 1, 2, 3].map(j => `          sum${j} += product4(q${i}, vec4f(k${i}[${j}]));`).join('\n')}`,
  )
  .join('\n')}
          at += 64;
        }`;

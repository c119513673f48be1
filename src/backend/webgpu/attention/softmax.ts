/** WGSL that turns a block's scores into weights, page after page: the running maximum, the weights below it, their sums. */
import type { Shape } from './geometry.ts';

const four = [0, 1, 2, 3];

export const softmaxPhase = ({ quads, pages, lanes }: Shape): string => `
      for (var unit = lane; unit < ${8 * pages * quads}; unit += ${lanes}) {
        let quad = unit / ${8 * pages};
        let inBlock = unit / 8 % ${pages} * 32 + unit % 8;
        var most = lowest;
${four
  .map(
    i =>
      `        most = max(most, select(lowest, scores[(inBlock + ${8 * i}) * ${quads} + quad], visible(start + inBlock + ${8 * i}, quad)));`,
  )
  .join('\n')}
        eights[unit] = most;
      }
      workgroupBarrier();
      for (var unit = lane; unit < ${pages * quads}; unit += ${lanes}) {
        var before = splitMax[unit / ${pages}];
        for (var page = unit - unit % ${pages}; page < unit; page++) { before = max(before, pageMax(page)); }
        let here = pageMax(unit);
        let most = max(before, here);
        let decay = select(expf4(before - most), vec4f(), before == lowest);
        maxima[unit] = most;
        decays[unit] = select(decay, vec4f(1), here == lowest);
      }
      workgroupBarrier();
      for (var unit = lane; unit < ${8 * pages * quads}; unit += ${lanes}) {
        let quad = unit / ${8 * pages};
        let inBlock = unit / 8 % ${pages} * 32 + unit % 8;
        let most = maxima[unit / 8];
${four
  .map(
    i => `        let at${i} = (inBlock + ${8 * i}) * ${quads} + quad;
        let w${i} = select(vec4f(), expf4(scores[at${i}] - most), visible(start + inBlock + ${8 * i}, quad));
        scores[at${i}] = w${i};`,
  )
  .join('\n')}
        eights[unit] = ((w0 + w1) + w2) + w3;
      }
      workgroupBarrier();
      if (lane < ${quads}) {
        var sum = splitSum[lane];
        for (var page = lane * ${pages}; page < (lane + 1) * ${pages}; page++) {
          sum = product4(sum, decays[page]) + pageSum(page);
        }
        splitSum[lane] = sum;
        splitMax[lane] = maxima[lane * ${pages} + ${pages - 1}];
      }`;

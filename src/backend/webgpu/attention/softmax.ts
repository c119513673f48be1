/** WGSL that turns a block's scores into weights, page after page: the running maximum, the weights below it, their sums. */
import type { Shape } from './geometry.ts';

const four = [0, 1, 2, 3];

export const softmaxPhase = ({ vectors, pages, lanes }: Shape): string => `
      for (var unit = lane; unit < ${8 * pages * vectors}; unit += ${lanes}) {
        let vector = unit / ${8 * pages};
        let inBlock = unit / 8 % ${pages} * 32 + unit % 8;
        var most = lowest;
${four
  .map(
    i =>
      `        most = max(most, select(lowest, scores[(inBlock + ${8 * i}) * ${vectors} + vector], visible(start + inBlock + ${8 * i}, vector)));`,
  )
  .join('\n')}
        eights[unit] = most;
      }
      workgroupBarrier();
      for (var unit = lane; unit < ${pages * vectors}; unit += ${lanes}) { tops[unit] = pageMax(unit); }
      workgroupBarrier();
      for (var unit = lane; unit < ${pages * vectors}; unit += ${lanes}) {
        var before = splitMax[unit / ${pages}];
        for (var page = unit - unit % ${pages}; page < unit; page++) { before = max(before, tops[page]); }
        let here = tops[unit];
        let most = max(before, here);
        let decay = select(exps(before - most), Reals(), before == lowest);
        maxima[unit] = most;
        decays[unit] = select(decay, Reals(1), here == lowest);
      }
      workgroupBarrier();
      for (var unit = lane; unit < ${8 * pages * vectors}; unit += ${lanes}) {
        let vector = unit / ${8 * pages};
        let inBlock = unit / 8 % ${pages} * 32 + unit % 8;
        let most = maxima[unit / 8];
${four
  .map(
    i => `        let at${i} = (inBlock + ${8 * i}) * ${vectors} + vector;
        let w${i} = select(Reals(), exps(scores[at${i}] - most), visible(start + inBlock + ${8 * i}, vector));
        scores[at${i}] = w${i};`,
  )
  .join('\n')}
        eights[unit] = ((w0 + w1) + w2) + w3;
      }
      workgroupBarrier();
      if (lane < ${vectors}) {
        var sum = splitSum[lane];
        for (var page = lane * ${pages}; page < (lane + 1) * ${pages}; page++) {
          sum = products(sum, decays[page]) + pageSum(page);
        }
        splitSum[lane] = sum;
        splitMax[lane] = maxima[lane * ${pages} + ${pages - 1}];
      }`;

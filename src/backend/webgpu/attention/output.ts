/** WGSL of the output: a lane sums a word's dimensions for its queries over the positions of a split, and then over the splits. */
import type { Shape } from './geometry.ts';

interface Sum {
  /** Dimension of the word. */
  readonly k: number;
  /** Quad of the lane. */
  readonly quad: number;
  readonly name: string;
}

const sumsOf = ({ inWord, quadsOfLane }: Shape): Sum[] =>
  Array.from({ length: inWord * quadsOfLane }, (_, i) => {
    const [k, quad] = [i % inWord, Math.floor(i / inWord)];
    return { k, quad, name: `${k}_${quad}` };
  });

const lines = <T>(list: readonly T[], line: (each: T, i: number) => string): string => list.map(line).join('\n');

export const outputVariables = (s: Shape): string =>
  lines(sumsOf(s), ({ name }) => `  var o${name} = vec4f();\n  var total${name} = vec4f();`);

const four = [0, 1, 2, 3];

/** Four positions at once: weights are 0 where nothing is to be seen, and values come from where something is. */
export function outputPhase(s: Shape): string {
  const sums = sumsOf(s);
  const quads = Array.from({ length: s.quadsOfLane }, (_, i) => i);
  return `
      for (var page = max(low, start) / 32; hasOutput && page <= min(high, start + ${s.positions - 1}) / 32; page++) {
        let lo = max(low, page * 32) % 32;
        let hi = min(high, page * 32 + 31) % 32;
        let inBlock = page - start / 32;
${lines(quads, quad => `        let decay${quad} = decays[(quad0 + ${quad}) * ${s.pages} + inBlock];`)}
${lines(sums, ({ name, quad }) => `        o${name} = product4(o${name}, decay${quad});`)}
        let values = tables[pages + page] * p.pageWords + valuesAt;
        for (var j = lo - lo % 4; j <= hi; j += 4) {
          let at = (inBlock * 32 + j) * ${s.quads} + quad0;
${lines(four, i => `          let v${i} = ${valuesOf(s, `clamp(j + ${i}, lo, hi)`)};`)}
${lines(four, i =>
  lines(quads, quad => {
    const weight = `w${i}_${quad}`;
    const own = sums.filter(sum => sum.quad === quad);
    return `          let ${weight} = scores[at + ${i * s.quads + quad}];
${lines(own, ({ name, k }) => `          o${name} += product4(${weight}, vec4f(v${i}[${k}]));`)}`;
  }),
)}
        }
      }`;
}

function valuesOf({ type, words, scalesAt, headDim }: Shape, position: string): string {
  const at = `values + (${position}) * ${words} + word`;
  if (type === 'F16') return `unpack2x16float(cache[${at}])`;
  const scale = `cache[values + ${scalesAt} + (${position}) * ${headDim / 32} + word / 8]`;
  return `product4(bytesOf(cache[${at}]), vec4f(bitcast<f32>(${scale})))`;
}

/** A factor of exp is never 0: 0 for the older sum takes the split's as it is, 0 for the split's keeps the older. */
export const addSplit = (s: Shape): string => `
    if (lane < ${s.quads}) {
      let before = totalMax[lane];
      let here = splitMax[lane];
      let most = max(before, here);
      let seen = here != lowest;
      let had = before != lowest;
      let a = select(vec4f(), select(vec4f(1), expf4(before - most), seen), had);
      let b = select(vec4f(), select(vec4f(1), expf4(here - most), had), seen);
      ofTotal[lane] = a;
      ofSplit[lane] = b;
      totalSum[lane] = product4(totalSum[lane], a) + product4(splitSum[lane], b);
      totalMax[lane] = most;
      splitMax[lane] = lowest;
      splitSum[lane] = vec4f();
    }
    workgroupBarrier();
    if (hasOutput) {
${lines(
  sumsOf(s),
  ({ name, quad }) => `
      total${name} = product4(total${name}, ofTotal[quad0 + ${quad}]) + product4(o${name}, ofSplit[quad0 + ${quad}]);
      o${name} = vec4f();`,
)}
    }`;

/** Writes the output; or, of one split, its maximum, sum and output where they are combined. */
export function finish(s: Shape): string {
  const quads = Array.from({ length: s.quadsOfLane }, (_, i) => i);
  const sums = sumsOf(s);
  return `
  for (var k = 0u; hasOutput && k < 4; k++) {
${lines(
  quads,
  quad => `    {
      let query = (quad0 + ${quad}) * 4 + k;
      let r = query / p.together;
      let head = firstHead + query % p.together;
      if (r < rows && query % p.together < heads) {
        let partial = p.scratch + ((slot + r) * p.heads + head) * ${s.headDim + 2};
        let out = p.out + (row + r) * p.outStride + head * ${s.headDim};
        let at = select(partial + 2, out, whole) + word * ${s.inWord};
        let factor = select(1, 1 / totalSum[quad0 + ${quad}][k], whole);
${lines(
  sums.filter(sum => sum.quad === quad),
  ({ name, k }) => `        work[at + ${k}] = total${name}[k] * factor;`,
)}
        if (!whole && word == 0) {
          work[partial] = totalMax[quad0 + ${quad}][k];
          work[partial + 1] = totalSum[quad0 + ${quad}][k];
        }
      }
    }`,
)}
  }`;
}

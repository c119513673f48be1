/** WGSL of the output: a lane sums a word's dimensions for its queries over the positions of a split, and then over the splits. */
import { componentOf, type Shape } from './geometry.ts';

interface Sum {
  /** Number of the dimension among the lane's. */
  readonly k: number;
  /** Number of the vector among the lane's. */
  readonly vector: number;
  readonly name: string;
}

const sumsOf = ({ dims, vectorsOfLane }: Shape): Sum[] =>
  Array.from({ length: dims * vectorsOfLane }, (_, i) => {
    const [k, vector] = [i % dims, Math.floor(i / dims)];
    return { k, vector, name: `${k}_${vector}` };
  });

const lines = <T>(list: readonly T[], line: (each: T, i: number) => string): string => list.map(line).join('\n');

export const outputVariables = (s: Shape): string =>
  lines(sumsOf(s), ({ name }) => `  var o${name} = Reals();\n  var total${name} = Reals();`);

/** Some positions at once: weights are 0 where nothing is to be seen, and values come from where something is. */
export function outputPhase(s: Shape): string {
  const sums = sumsOf(s);
  const vectors = Array.from({ length: s.vectorsOfLane }, (_, i) => i);
  const positions = Array.from({ length: s.inFlight }, (_, i) => i);
  return `
      for (var page = max(low, start) / 32; hasOutput && page <= min(high, start + ${s.positions - 1}) / 32; page++) {
        let lo = max(low, page * 32) % 32;
        let hi = min(high, page * 32 + 31) % 32;
        let inBlock = page - start / 32;
${lines(vectors, vector => `        let decay${vector} = decays[(vector0 + ${vector}) * ${s.pages} + inBlock];`)}
${lines(sums, ({ name, vector }) => `        o${name} = products(o${name}, decay${vector});`)}
        let values = pageAt[inBlock] + valuesAt;
        for (var j = lo - lo % ${s.inFlight}; j <= hi; j += ${s.inFlight}) {
          let at = (inBlock * 32 + j) * ${s.vectors} + vector0;
${lines(positions, i => `          let v${i} = ${valuesOf(s, `clamp(j + ${i}, lo, hi)`)};`)}
${lines(positions, i =>
  lines(vectors, vector => {
    const weight = `w${i}_${vector}`;
    const own = sums.filter(sum => sum.vector === vector);
    return `          let ${weight} = scores[at + ${i * s.vectors + vector}];
${lines(own, ({ name, k }) => `          o${name} += products(${weight}, Reals(v${i}[${s.dims === 1 ? 'inWord' : k}]));`)}`;
  }),
)}
        }
      }`;
}

function valuesOf({ type, words, scalesAt, headDim }: Shape, position: string): string {
  const at = `values + (${position}) * ${words} + word`;
  if (type === 'F16') return `unpack2x16float(cache[${at}])`;
  const scale = `cache[values + ${scalesAt} + (${position}) * ${headDim / 32} + word / 8]`;
  return `bytesOf(cache[${at}], vec4f(bitcast<f32>(${scale})))`;
}

/** A factor of exp is never 0: 0 for the older sum takes the split's as it is, 0 for the split's keeps the older. */
export const addSplit = (s: Shape): string => `
    if (lane < ${s.vectors}) {
      let before = totalMax[lane];
      let here = splitMax[lane];
      let most = max(before, here);
      let seen = here != lowest;
      let had = before != lowest;
      let a = select(Reals(), select(Reals(1), exps(before - most), seen), had);
      let b = select(Reals(), select(Reals(1), exps(here - most), had), seen);
      ofTotal[lane] = a;
      ofSplit[lane] = b;
      totalSum[lane] = products(totalSum[lane], a) + products(splitSum[lane], b);
      totalMax[lane] = most;
      splitMax[lane] = lowest;
      splitSum[lane] = Reals();
    }
    workgroupBarrier();
    if (hasOutput) {
${lines(
  sumsOf(s),
  ({ name, vector }) => `
      total${name} = products(total${name}, ofTotal[vector0 + ${vector}]) + products(o${name}, ofSplit[vector0 + ${vector}]);
      o${name} = Reals();`,
)}
    }`;

/** A sink is one more split, which has no output. Loops: see `quotients`. */
function withSinks({ width }: Shape): string {
  const each = width === 1 ? '' : '[k]';
  return `
      var sinks = Reals();
      for (var k = 0u; k < ${width}; k++) {
        let head = firstHead + (lane * ${width} + k) % p.together;
        sinks${each} = work[p.sinks + min(head, p.heads - 1)];
      }
      let most = max(totalMax[lane], sinks);
      let ofTotal = exps(totalMax[lane] - most);
      let sum = products(totalSum[lane], ofTotal) + exps(sinks - most);
      for (var k = 0u; k < ${width}; k++) { splitSum[lane]${each} = divide(ofTotal${each}, sum${each}); }`;
}

/** Writes the output; or, of one split, its maximum, sum and output where they are combined. */
export function finish(s: Shape): string {
  const queries = Array.from({ length: s.vectorsOfLane * s.width }, (_, i) => {
    return { vector: Math.floor(i / s.width), k: i % s.width };
  });
  return `
  if (whole) {
    if (lane < ${s.vectors}) { ${s.sunk ? withSinks(s) : 'splitSum[lane] = quotients(1, totalSum[lane]);'} }
  }
  workgroupBarrier();
${lines(queries, ({ vector, k }) => {
  const own = sumsOf(s).filter(sum => sum.vector === vector);
  const of = (name: string) => componentOf(s, name, k);
  return `
  if (hasOutput) {
    let query = (vector0 + ${vector}) * ${s.width} + ${k};
    let r = query / p.together;
    let head = firstHead + query % p.together;
    if (r < rows && query % p.together < heads) {
      let partial = p.scratch + ((slot + r) * p.heads + head) * ${s.headDim + 2};
      let out = p.out + (row + r) * p.outStride + head * ${s.headDim};
      let at = select(partial + 2, out, whole) + (lane % ${s.lanesOfRow}) * ${s.dims};
      let sum = ${of(`totalSum[vector0 + ${vector}]`)};
      let factor = select(1, ${of(`splitSum[vector0 + ${vector}]`)}, whole);
${lines(own, ({ name, k: d }) => `      work[at + ${d}] = ${of(`total${name}`)} * factor;`)}
      if (!whole && lane % ${s.lanesOfRow} == 0) {
        work[partial] = ${of(`totalMax[vector0 + ${vector}]`)};
        work[partial + 1] = sum;
      }
    }
  }`;
})}`;
}

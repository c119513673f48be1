/** node scripts/metering/simulate.ts [SEEDS] [FIRST]: simulated clusters; ends with an error at the first that overspends or loses something. */
import { simulate } from '../../test/metering/simulation.ts';

const seeds = Number(process.argv[2] ?? 10_000);
const first = Number(process.argv[3] ?? 1);
const sums = { granted: 0, refused: 0, unavailable: 0 };
let least = 1;
for (let seed = first; seed < first + seeds; seed++) {
  try {
    const { usable, ...counts } = await simulate(seed);
    for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += counts[key];
    least = Math.min(least, usable);
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error });
  }
}
console.log(JSON.stringify({ seeds, ...sums, leastUsable: least }));

/** What drafts bring: `npm run bench:speculation -- [MODEL] [ROUNDS] [DRAFT_MODEL]`; see drafting.ts. */
import { summary } from '../../src/bench/bench.ts';
import { resolveModel } from '../../src/catalog/resolve.ts';
import { measureDrafting } from './drafting.ts';
import { readTokenizer } from './tokenizer.ts';

const { path } = await resolveModel(process.argv[2]);
const draft = process.argv[4] && (await resolveModel(process.argv[4])).path;
for (const each of await measureDrafting(path, await readTokenizer(path), Number(process.argv[3] ?? 7), draft)) {
  const { median, min, max } = summary(each.ratios);
  const spread = `${median.toFixed(2)}x (${min.toFixed(2)}..${max.toFixed(2)})`;
  console.log(`${each.task}, ${each.mode}: ${each.tokensPerSecond.median.toFixed(1)} tok/s, ${spread}`);
}

/** Measures a model as a user of the library meets it: one reader, then eight at once. `realm bench` measures the engine alone. */
import { availableParallelism } from 'node:os';
import { loadModel } from '../src/index.ts';

const name = process.argv[2] ?? 'smollm2-135m';
const loading = performance.now();
await using model = await loadModel(name);
console.log(`${name} on ${availableParallelism()} processors: loaded in ${Math.round(performance.now() - loading)} ms`);

async function rate(readers: number): Promise<number> {
  const start = performance.now();
  const run = (_: unknown, seed: number) => model.generate('A story:', { maxTokens: 12, seed, temperature: 1 });
  const results = await Promise.all(Array.from({ length: readers }, run));
  const tokens = results.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
  return (tokens * 1000) / (performance.now() - start);
}

await rate(1); // what runs first is compiled while it runs
for (const readers of [1, 8]) {
  const rates = [await rate(readers), await rate(readers), await rate(readers)].sort((a, b) => a - b);
  const [least, median, most] = rates.map(each => each.toFixed(1));
  console.log(`${readers} at once: ${median} tokens/s (${least} to ${most})`);
}

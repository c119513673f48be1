/** Measures what a reader of a stream feels: the time to the first token, and tokens a second after it. */
import { loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');
await model.generate('Hello', { maxTokens: 8 }); // what runs first is compiled while it runs

const start = performance.now();
let first = 0;
let tokens = 0;
for await (const _ of model.generate('Long ago, in a village by the sea,', {
  maxTokens: 32,
  seed: 1,
  temperature: 0.8,
})) {
  if (tokens++ === 0) first = performance.now();
}
const rate = ((tokens - 1) * 1000) / (performance.now() - first);
console.log(`first token after ${(first - start).toFixed(0)} ms, then ${rate.toFixed(0)} tokens/s`);

/** Answers many prompts at once: they share each step of the model, which is much quicker than one after the other. */
import { loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

const countries = ['France', 'Spain', 'Italy', 'Germany', 'Japan', 'Egypt'];
const ask = (country: string) => model.chat(`What is the capital of ${country}?`, { maxTokens: 20 });

const start = performance.now();
const answers = await Promise.all(countries.map(async country => ({ country, ...(await ask(country)) })));
const seconds = (performance.now() - start) / 1000;

for (const { country, text } of answers) console.log(`${country}: ${text}`);
const tokens = answers.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
console.log(`${tokens} tokens in ${seconds.toFixed(1)} s`);

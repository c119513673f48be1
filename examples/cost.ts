/** Works out what a request costs from the tokens that it used. Tokens that the prefix cache knew may be cheaper. */
import { loadModel, type Usage } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

/** Cents for a million tokens. */
const prices = { prompt: 10, cached: 1, completion: 40 };

function cost({ promptTokens, cachedTokens, completionTokens }: Usage) {
  const fresh = promptTokens - cachedTokens;
  return (fresh * prices.prompt + cachedTokens * prices.cached + completionTokens * prices.completion) / 1e6;
}

const handbook = 'Cancel at least two days before your stay, by letter or at the desk. '.repeat(6);
let sum = 0;
for (const question of ['How can a guest cancel?', 'When must a guest cancel?']) {
  const { text, usage } = await model.chat(`${handbook}\n\n${question}`, { maxTokens: 24 });
  sum += cost(usage);
  console.log(`${question} ${text}`);
  console.log(
    `  ${usage.promptTokens} in (${usage.cachedTokens} cached), ${usage.completionTokens} out: ${cost(usage).toFixed(5)} cents`,
  );
}
console.log(`together ${sum.toFixed(5)} cents`);

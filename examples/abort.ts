/** Ends a generation from outside, by a signal or by leaving the loop: the model stops computing it at once. */
import { loadModel, RealmError } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

const abort = new AbortController();
const long = model.generate('Count: one, two, three,', { maxTokens: 2000, signal: abort.signal });
let tokens = 0;
try {
  for await (const { text } of long) {
    process.stdout.write(text);
    if (++tokens === 20) abort.abort();
  }
} catch (error) {
  console.log(`\nended after ${tokens} tokens: ${error instanceof RealmError ? error.code : error}`);
}

for await (const { text } of model.generate('Count: one, two, three,', { maxTokens: 2000 })) {
  console.log(`left after the first piece: ${JSON.stringify(text)}`);
  break;
}

/** Several answers to one prompt. The same seed gives the same answer each time, whatever else the model is doing. */
import { loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

const story = (seed: number) =>
  model.generate('Once upon a time, there was a', { seed, temperature: 0.9, topP: 0.95, maxTokens: 24 });

const stories = await Promise.all([1, 2, 3].map(story));
for (const [i, { text }] of stories.entries()) console.log(`seed ${i + 1}:${text.replaceAll('\n', ' ')}`);

const again = await story(2);
console.log(again.text === stories[1]?.text ? 'seed 2 again: the same' : 'seed 2 again: another');

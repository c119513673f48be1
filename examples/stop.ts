/** Ends an answer at a string of yours. The string itself is no part of the answer, and may lie across several tokens. */
import { loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

const prompt = 'Shopping list:\n1. Apples\n2. Bread\n3.';
const whole = await model.generate(prompt, { maxTokens: 24, temperature: 0 });
const stopped = await model.generate(prompt, { maxTokens: 24, temperature: 0, stop: '\n' });
console.log('without a stop string:', JSON.stringify(whole.text), whole.finishReason);
console.log('with one:             ', JSON.stringify(stopped.text), stopped.finishReason);

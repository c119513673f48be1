/** Loads a model into this process and asks it one question. Nothing listens on a port, and `await using` frees the model. */
import { loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

const { text, finishReason, usage } = await model.chat('Name the capital city of France.');
console.log(text);
console.log(`ended with ${finishReason}: ${usage.promptTokens} tokens of prompt, ${usage.completionTokens} of answer`);

/**
 * Guesses tokens from what the prompt says, and checks several in one step. It is on by default and changes no output:
 * the text is the same with it and without.
 */
import { loadModel } from '../src/index.ts';

const list = Array.from({ length: 8 }, (_, i) => `Item ${i + 1}: a box of ${i + 2} candles`).join('\n');
const prompt = `${list}\n\nThe same list again:\n\nItem 1: a box of 2 candles\nItem 2:`;

async function run(speculation: 'off' | 'lookup') {
  await using model = await loadModel('smollm2-135m', { speculation });
  await model.generate(prompt, { maxTokens: 1 }); // the prompt is read
  const start = performance.now();
  const { text } = await model.generate(prompt, { maxTokens: 40, temperature: 0 });
  console.log(`${speculation}: ${((performance.now() - start) / 1000).toFixed(2)} s`);
  return text;
}

const plain = await run('off');
const guessed = await run('lookup');
console.log(guessed.trimEnd());
console.log(guessed === plain ? 'the same text' : 'another text');

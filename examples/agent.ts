/**
 * An agent in its simplest form: the model proposes, code checks and keeps what is good, and the next prompt says what has
 * been reached. The code decides when the goal is reached, and how many steps it may take.
 */
import { loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

const goal = 8;
const animals = ['dog', 'cat'];

/** What is wrong with a proposal, or undefined. */
function problem(animal: string): string | undefined {
  if (!/^[a-z]+$/.test(animal)) return 'not one word';
  if (animals.includes(animal)) return 'there already';
}

for (let step = 1; step <= 20 && animals.length < goal; step++) {
  const prompt = `A list of animals, each with one word: ${animals.join(', ')},`;
  const { text } = await model.generate(prompt, { maxTokens: 6, temperature: 0.9, seed: step, stop: [',', '.', '\n'] });
  const animal = text.trim();
  const wrong = problem(animal);
  console.log(`${step}. ${animal}: ${wrong ?? 'kept'}`);
  if (wrong === undefined) animals.push(animal);
}
console.log(animals.length === goal ? `done: ${animals.join(', ')}` : 'given up');

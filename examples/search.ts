/**
 * Finds the texts that mean most nearly what a query means. Vectors have length 1, so their dot product is the cosine.
 * A model made for embeddings finds better than this chat model does.
 */
import { loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

const texts = [
  'The cat sleeps on the sofa all day.',
  'Interest rates were raised by the central bank.',
  'Add two eggs and stir the dough.',
  'The rocket reached its orbit after nine minutes.',
];
const query = 'The kitten is lying on the couch.';

const [wanted, ...vectors] = await model.embed([query, ...texts]);
const found = texts
  .map((text, i) => ({
    text,
    score: vectors[i].reduce((sum: number, x: number, at: number) => sum + x * wanted[at], 0),
  }))
  .sort((a, b) => b.score - a.score);

console.log(query);
for (const { text, score } of found) console.log(`  ${score.toFixed(3)}  ${text}`);

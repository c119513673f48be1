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

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, at) => sum + x * (b[at] ?? 0), 0);

const [wanted = new Float32Array(), ...vectors] = await model.embed([query, ...texts]);
const found = vectors
  .map((vector, i) => ({ text: texts[i], score: dot(vector, wanted) }))
  .sort((a, b) => b.score - a.score);

console.log(query);
for (const { text, score } of found) console.log(`  ${score.toFixed(3)}  ${text}`);

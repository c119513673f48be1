/** Writes an answer while it is made. The same generation can be awaited afterwards for what it has used. */
import { loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

const answer = model.chat('Tell me about the sea in three sentences.', { maxTokens: 60 });
for await (const { text } of answer) process.stdout.write(text);

const { usage } = await answer;
console.log(`\n${usage.completionTokens} tokens`);

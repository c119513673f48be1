/**
 * Runs a tenant's program without a server: it answers a prompt eight times at once and keeps the answer that the model
 * finds likeliest. The same three calls do the same in a browser's tab (docs/browser.md).
 */
import { compileClassic } from '../guest/build.ts';
import { loadModel, loadProgram } from '../src/index.ts';

const program = await loadProgram(await compileClassic('best-of-n')); // or a path, or the URL of a .wasm
await using model = await loadModel('smollm2-135m', { context: 1024 });

const run = model.run(program, 'Name three colours.', { maxTokens: 24, seed: 1, limits: { deadlineMs: 60_000 } });
for await (const chunk of run) if (chunk.kind === 'text') process.stdout.write(chunk.text);
const { usage, fuel } = await run;
console.log(`\n${usage.promptTokens} tokens of prompt, ${usage.completionTokens} of eight answers, ${fuel} fuel`);

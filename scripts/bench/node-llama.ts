/** One measurement of a model in node-llama-cpp, in a process of its own: `MODEL PROMPT GEN THREADS` to JSON, tokens a second by test. */
import type { Token } from 'node-llama-cpp';
import { withLlama } from '../../test/support/llama-cpp.ts';

const [path, ...numbers] = process.argv.slice(2) as [string, ...string[]];
const [prompt, gen, threads] = numbers.map(Number) as [number, number, number];

const rates = await withLlama(path, async model => {
  const contextSize = prompt + gen + 64;
  const context = await model.createContext({
    contextSize,
    batchSize: 512,
    sequences: 1,
    threads,
    flashAttention: true,
  });
  const sequence = context.getSequence();
  const tokens = Array.from({ length: prompt }, (_, i) => ((i * 7919 + 11) % 32_000) as Token);
  const timed = async (work: () => Promise<number>): Promise<number> => {
    await sequence.clearHistory();
    const start = performance.now();
    const count = await work();
    return (count * 1000) / (performance.now() - start);
  };
  const process = async (): Promise<number> => {
    await sequence.evaluateWithoutGeneratingNewTokens(tokens);
    return prompt;
  };
  const generate = async (): Promise<number> => {
    let count = 0;
    for await (const _ of sequence.evaluate([tokens[0]!], { temperature: 0, yieldEogToken: true })) {
      if (++count === gen) break;
    }
    return count;
  };
  await timed(generate);
  return { [`pp${prompt}`]: await timed(process), [`tg${gen}`]: await timed(generate) };
});
console.log(JSON.stringify(rates));
process.exit(0);

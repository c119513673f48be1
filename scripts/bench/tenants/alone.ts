import { randomUUID } from 'node:crypto';
import { openEngine } from '../../../src/engine/handle.ts';
import { type Figure, expect, number, quantile, ratioFigure, type Setup } from './figures.ts';
import { prompt } from './prompts.ts';
import { load, startRealm } from './servers.ts';

const answer = 256;

/** One tenant alone in the server, through its key, program and socket, beside the engine without any of it, in turns. */
export async function alone({ model, tokenizer, rounds, promptTokens }: Setup): Promise<Figure[]> {
  const ends = tokenizer.endOfGeneration;
  const server = await startRealm({ model, tenants: 8, ends });
  const engine = await openEngine({ path: model, context: 2048 });
  const sampling = { temperature: 0, logitBias: [...ends].map(token => [token, -100] as const) };
  const bare = async (text: string): Promise<number> => {
    const tokens = tokenizer.encode(text);
    const started = performance.now();
    const work = { id: randomUUID(), tenant: 't', tokens, maxTokens: answer, sampling, stopTokens: [] };
    let count = 0;
    for await (const event of engine.submit(work)) if (event.kind === 'token') count++;
    expect(count === answer, `${count} tokens came`);
    return (count * 1000) / (performance.now() - started);
  };
  const served = async (text: string): Promise<number> => {
    const [[seen]] = (await load([{ jobs: [server.job(0, text, answer)] }])) as [
      [Awaited<ReturnType<typeof load>>[0][0]],
    ];
    expect(seen.completionTokens === answer, `${seen.completionTokens} tokens came`);
    return (seen.completionTokens * 1000) / (seen.endMs - seen.startMs);
  };
  const results: [number, number][] = [];
  try {
    for (let round = -2; round < 3 * rounds; round++) {
      const text = prompt(tokenizer, promptTokens, round + 2);
      const pair: [number, number] = [await served(text), await bare(text)];
      if (round >= 0) results.push(pair);
    }
  } finally {
    await Promise.all([server.stop(), engine.close()]);
  }
  const medians = [0, 1].map(side =>
    number(
      quantile(
        results.map(pair => pair[side]!),
        0.5,
      ),
    ),
  );
  const ratios = results.map(([ours, theirs]) => ours / theirs);
  return [ratioFigure('one tenant alone: tokens/s, to the bare engine', ratios, { least: 0.99 }, medians.join(' / '))];
}

import { randomUUID } from 'node:crypto';
import { openEngine } from '../../../src/engine/worker/handle.ts';
import { expect, type Figure, number, quantile, ratioFigure, type Setup } from './figures.ts';
import type { Seen } from './load.ts';
import { prompt } from './prompts.ts';
import { load, startRealm } from './servers.ts';

const answer = 512;

/** Measurements of a round. */
const turns = 4;

/**
 * One tenant alone in the server, through its key, program and socket, beside the engine without any of it, in turns.
 * Both sides start anew in every round: where a process's memory happens to lie is worth some hundredths.
 */
export async function alone(setup: Setup): Promise<Figure[]> {
  const results: [number, number][] = [];
  for (let round = 0; round < setup.rounds; round++) results.push(...(await pairs(setup, round)));
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

/** Tokens per second of both sides, a few times over. */
async function pairs({ model, tokenizer, promptTokens }: Setup, round: number): Promise<[number, number][]> {
  const ends = tokenizer.endOfGeneration;
  // Without guesses, which go by measured times: both sides take the same steps.
  const speculation = 'off';
  const server = await startRealm({ model, tenants: 8, ends, options: { speculation } });
  const engine = await openEngine({ file: model, context: 2048, speculation });
  const sampling = { temperature: 0, logitBias: [...ends].map(token => [token, -100] as const) };
  const bare = async (text: string): Promise<number> => {
    const tokens = tokenizer.encode(text);
    const started = performance.now();
    const work = { id: randomUUID(), tenant: 't', prompt: tokens, maxTokens: answer, sampling };
    let count = 0;
    for await (const event of engine.submit(work)) if (event.kind === 'token') count++;
    expect(count === answer, `${count} tokens came`);
    return (count * 1000) / (performance.now() - started);
  };
  const served = async (text: string): Promise<number> => {
    // The client's first request, of a token, is its own warming up.
    const jobs = [server.job(0, 'Hello', 1), server.job(0, text, answer)];
    const [[, seen]] = (await load([{ jobs }])) as unknown as [readonly [Seen, Seen]];
    expect(seen.completionTokens === answer, `${seen.completionTokens} tokens came`);
    return (seen.completionTokens * 1000) / (seen.endMs - seen.startMs);
  };
  const results: [number, number][] = [];
  try {
    for (let turn = -1; turn < turns; turn++) {
      const text = prompt(tokenizer, promptTokens, round * (turns + 1) + turn + 1);
      // Who is second finds the machine as the first left it: they change places.
      const first = turn % 2 ? await bare(text) : undefined;
      const ours = await served(text);
      const theirs = first ?? (await bare(text));
      if (turn >= 0) results.push([ours, theirs]);
    }
  } finally {
    await Promise.all([server.stop(), engine.close()]);
  }
  return results;
}

import { randomUUID } from 'node:crypto';
import { type Rates, summary } from '../../src/bench/bench.ts';
import type { Engine } from '../../src/engine/types.ts';
import { openEngine } from '../../src/engine/worker/handle.ts';
import type { Token, Tokenizer } from '../../src/tokenizer/types.ts';

const passage = `The harbour of the old town lies between two hills. In the morning the boats come in with herring and cod, and the women who buy
for the hotels stand on the quay with their baskets. At noon the square is empty, since everybody eats at home. In the evening the lamps are lit along
the water, musicians play in front of the church, and the children who should be in bed run between the tables of the cafes until their mothers call.`;
const tasks = {
  'copying a text': `${passage}\n\n${passage}\n\n${passage.slice(0, 60)}`,
  'making one up': 'Once upon a time, in a village by the sea, there lived a girl who',
};

export interface Drafted {
  readonly task: keyof typeof tasks;
  readonly mode: string;
  readonly tokensPerSecond: Rates;
  /** To plain decoding, by rounds. */
  readonly ratios: readonly number[];
}

/**
 * Generation with drafts by prompt lookup, and by a draft model too where one is named, beside plain decoding, on a text that the
 * model copies and on one that it makes up. The engines hold the model and take turns.
 */
export async function measureDrafting(
  path: string,
  tokenizer: Tokenizer,
  rounds: number,
  draft?: string,
): Promise<Drafted[]> {
  const modes = [
    { name: 'plain', options: { speculation: 'off' } },
    { name: 'with lookup', options: { speculation: 'lookup' } },
    ...(draft ? [{ name: 'with lookup and a draft model', options: { draft } }] : []),
  ] as const;
  const engines = await Promise.all(modes.map(({ options }) => openEngine({ file: path, context: 2048, ...options })));
  const results: Drafted[] = [];
  for (const [task, text] of Object.entries(tasks)) {
    const rates: number[][] = modes.map(() => []);
    for (let round = -2; round < rounds; round++) {
      for (const [i, engine] of engines.entries()) {
        const value = await rate(engine, tokenizer.encode(text), tokenizer.endOfGeneration);
        if (round >= 0) rates[i]!.push(value);
      }
    }
    for (const [i, { name: mode }] of modes.entries()) {
      const ratios = rates[i]!.map((value, round) => value / rates[0]![round]!);
      results.push({ task: task as keyof typeof tasks, mode, tokensPerSecond: summary(rates[i]!), ratios });
    }
  }
  await Promise.all(engines.map(engine => engine.close()));
  return results;
}

/** Tokens a second from the first to the last. */
async function rate(engine: Engine, tokens: readonly Token[], ends: Iterable<Token>): Promise<number> {
  const sampling = { temperature: 0, logitBias: [...ends].map(token => [token, -100] as const) };
  const work = { id: randomUUID(), tenant: 'bench', prompt: tokens, maxTokens: 100, sampling };
  let first = 0;
  let count = 0;
  for await (const event of engine.submit(work)) {
    if (event.kind !== 'token') continue;
    if (count++ === 0) first = performance.now();
  }
  return ((count - 1) * 1000) / (performance.now() - first);
}

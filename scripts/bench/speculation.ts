/**
 * What drafts bring: tokens a second with prompt lookup, and with a draft model too where one is named, beside plain decoding, on a
 * text that the model copies and on one that it makes up. The engines hold the model and take turns.
 * `npm run bench:speculation -- [MODEL] [ROUNDS] [DRAFT_MODEL]`
 */
import { randomUUID } from 'node:crypto';
import { summary } from '../../src/bench/bench.ts';
import { resolveModel } from '../../src/catalog/resolve.ts';
import { openEngine } from '../../src/engine/handle.ts';
import type { Engine } from '../../src/engine/types.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { createTokenizer } from '../../src/tokenizer/create.ts';
import type { Token } from '../../src/tokenizer/types.ts';

const passage = `The harbour of the old town lies between two hills. In the morning the boats come in with herring and cod, and the women who buy
for the hotels stand on the quay with their baskets. At noon the square is empty, since everybody eats at home. In the evening the lamps are lit along
the water, musicians play in front of the church, and the children who should be in bed run between the tables of the cafes until their mothers call.`;
const tasks = {
  'copying a text': `${passage}\n\n${passage}\n\n${passage.slice(0, 60)}`,
  'making one up': 'Once upon a time, in a village by the sea, there lived a girl who',
};

const { path } = await resolveModel(process.argv[2]);
const rounds = Number(process.argv[3] ?? 7);
const file = await openGguf(path);
const tokenizer = createTokenizer(file.metadata);
await file.close();
const noEnd = [...tokenizer.endOfGeneration].map(token => [token, -100] as const);
const draft = process.argv[4] && (await resolveModel(process.argv[4])).path;
const modes = [
  { name: 'plain', options: { speculation: 'off' } },
  { name: 'with lookup', options: { speculation: 'lookup' } },
  ...(draft ? [{ name: 'with lookup and a draft model', options: { draft } }] : []),
] as const;
const engines = await Promise.all(modes.map(({ options }) => openEngine({ path, context: 2048, ...options })));

async function rate(engine: Engine, tokens: readonly Token[]): Promise<number> {
  const sampling = { temperature: 0, logitBias: noEnd };
  const work = { id: randomUUID(), tenant: 'bench', tokens, maxTokens: 100, sampling, stopTokens: [] };
  let first = 0;
  let count = 0;
  for await (const event of engine.submit(work)) {
    if (event.kind !== 'token') continue;
    if (count++ === 0) first = performance.now();
  }
  return ((count - 1) * 1000) / (performance.now() - first);
}

for (const [task, text] of Object.entries(tasks)) {
  const tokens = tokenizer.encode(text);
  const rates: number[][] = modes.map(() => []);
  for (let round = -2; round < rounds; round++) {
    for (const [i, engine] of engines.entries()) {
      const value = await rate(engine, tokens);
      if (round >= 0) rates[i]!.push(value);
    }
  }
  for (const [i, { name }] of modes.entries()) {
    const ratio = summary(rates[i]!.map((value, round) => value / rates[0]![round]!));
    const spread = `${ratio.median.toFixed(2)}x (${ratio.min.toFixed(2)}..${ratio.max.toFixed(2)})`;
    console.log(`${task}, ${name}: ${summary(rates[i]!).median.toFixed(1)} tok/s, ${spread}`);
  }
}
await Promise.all(engines.map(engine => engine.close()));

/**
 * What drafting by prompt lookup brings: tokens a second with it and without, on a text that the model copies and on one
 * that it makes up. Both engines hold the model and take turns. `npm run bench:speculation [MODEL] [ROUNDS]`
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
const modes = ['off', 'lookup'] as const;
const engines = await Promise.all(modes.map(speculation => openEngine({ path, speculation, context: 2048 })));

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
  const ratios: number[] = [];
  const rates: number[][] = [[], []];
  for (let round = -2; round < rounds; round++) {
    const pair = [];
    for (const engine of engines) pair.push(await rate(engine, tokens));
    if (round < 0) continue;
    ratios.push(pair[1]! / pair[0]!);
    pair.forEach((value, i) => void rates[i]!.push(value));
  }
  const [off, lookup] = rates.map(values => summary(values).median.toFixed(1));
  const { median, min, max } = summary(ratios);
  console.log(
    `${task}: ${off} tok/s plain, ${lookup} with lookup: ${median.toFixed(2)}x (${min.toFixed(2)}..${max.toFixed(2)})`,
  );
}
await Promise.all(engines.map(engine => engine.close()));

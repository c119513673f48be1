/**
 * What a program costs: tokens a second of the real model through the default program in its sandbox, beside the same
 * generation without one. Both take turns; the figures are medians. `npm run bench:sandbox [ROUNDS]`
 */
import { randomUUID } from 'node:crypto';
import { loadModel } from '../../src/llm/load.ts';
import { readBuiltinProgram } from '../../src/sandbox/builtin.ts';
import type { ModelId } from '../../src/sandbox/model-id.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import type { ProgramHost } from '../../src/sandbox/types.ts';
import { defaultRunLimits } from '../../src/tenancy/program-limits.ts';

const rounds = Number(process.argv[2] ?? 9);
const maxTokens = 200;
const prompt = 'Once upon a time';

const model = await loadModel({}, {});
const sandbox = createSandbox();
const program = await sandbox.load('default', await readBuiltinProgram('default'), { trusted: true });
const noEnd = new Map([...model.tokenizer.endOfGeneration].map(token => [token, -100] as const));

function generate(signal: AbortSignal) {
  const sampling = { temperature: 0, logitBias: noEnd };
  return model.generate(
    { id: randomUUID(), tenant: 'bench', prompt: model.tokenizer.encode(prompt), maxTokens, sampling },
    signal,
  );
}

async function direct(): Promise<number> {
  let count = 0;
  for await (const event of generate(new AbortController().signal)) if (event.kind === 'text') count++;
  return count;
}

type OnText = Parameters<ProgramHost['generate']>[2];

/** The program's run on `source`; resolves to the pieces of text that came out. */
async function throughProgram(source: (signal: AbortSignal, onText: OnText) => Promise<void>): Promise<number> {
  let count = 0;
  const host: ProgramHost = {
    generate: (_, signal, onText) => source(signal, onText),
    encode: async () => [],
    decode: async () => '',
    metadata: () => '{}',
  };
  const options = { maxTokens, temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0n, stopTokens: [] };
  const limits = { ...defaultRunLimits, memoryMb: 64, deadlineMs: 60_000, sliceMs: 2_000 };
  const call = { tenant: 'bench', program, limits, prompt, modelId: 0 as ModelId, options, host };
  for await (const _ of sandbox.run({ ...call, signal: new AbortController().signal })) count++;
  return count;
}

async function sandboxed(): Promise<number> {
  let count = 0;
  await throughProgram(async (signal, onText) => {
    for await (const event of generate(signal)) {
      if (event.kind === 'end') return;
      count++;
      if (event.text !== '') await onText(event.text);
    }
  });
  return count;
}

/** Microseconds a token of the program and its sandbox, when the tokens cost nothing. */
async function ownCost(): Promise<number> {
  const pieces = 5000;
  const start = performance.now();
  await throughProgram(async (_, onText) => {
    for (let i = 0; i < pieces; i++) await onText(' word');
  });
  return ((performance.now() - start) * 1000) / pieces;
}

async function rate(work: () => Promise<number>): Promise<number> {
  const start = performance.now();
  const count = await work();
  return (count * 1000) / (performance.now() - start);
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

const rates = { direct: [] as number[], sandboxed: [] as number[] };
const ratios: number[] = [];
for (let round = -2; round < rounds; round++) {
  const pair = { direct: await rate(direct), sandboxed: await rate(sandboxed) };
  // The first two rounds warm up.
  if (round < 0) continue;
  rates.direct.push(pair.direct);
  rates.sandboxed.push(pair.sandboxed);
  ratios.push(pair.sandboxed / pair.direct);
}
console.log(
  `without a program ${median(rates.direct).toFixed(1)} tok/s, through it ${median(rates.sandboxed).toFixed(1)}`,
);
console.log(
  `ratio: median ${median(ratios).toFixed(4)} of ${rounds} (${Math.min(...ratios).toFixed(3)}..${Math.max(...ratios).toFixed(3)})`,
);
const costs: number[] = [];
for (let i = 0; i < 7; i++) costs.push(await ownCost());
const share = (median(costs) * median(rates.direct)) / 1e6;
console.log(
  `the program alone: ${median(costs).toFixed(1)} µs a token, ${(100 * share).toFixed(2)} % of a token's time`,
);
await sandbox.close();
await model.engine.close();

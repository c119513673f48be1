/**
 * What constraints cost and bring, `node scripts/bench/constraining.ts [MODEL] [ROUNDS] [THREADS]`: tokens in a second of CPU
 * time, and of the clock, to those of free answers to the same prompts. The tasks take turns in one engine; the best rounds
 * are compared. On a busy machine one thread says most: threads that wait for each other spin.
 */
import { randomUUID } from 'node:crypto';
import { resolveModel } from '../../src/catalog/resolve.ts';
import type { Engine } from '../../src/engine/types.ts';
import { openEngine } from '../../src/engine/worker/handle.ts';
import type { ConstraintSource } from '../../src/output-format/constraint-source.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { readTokenizer } from './tokenizer.ts';

const prompt = 'A record of a person, as JSON, with every field filled in:\n';
const length = 96;

const object = (properties: Record<string, unknown>): unknown => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const schemaOf = (schema: unknown): ConstraintSource => ({ kind: 'json_schema', schema: JSON.stringify(schema) });

/** Nothing but the quotes is forced. */
const strings = schemaOf({ type: 'array', items: { type: 'string', maxLength: 60 }, minItems: 40 });
/** About a seventh of the tokens, as in MaskBench: names, in records that follow each other. */
const records = schemaOf({
  type: 'array',
  minItems: 20,
  items: object({
    name: { type: 'string', maxLength: 40 },
    occupation: { type: 'string', maxLength: 60 },
    yearOfBirth: { type: 'integer' },
    nationality: { type: 'string', maxLength: 30 },
    status: { enum: ['employed', 'unemployed', 'retired'] },
  }),
});

interface Task {
  readonly name: string;
  readonly constraints: readonly (ConstraintSource | undefined)[];
}

const eight = (first?: ConstraintSource): Task['constraints'] => [first, ...Array.from({ length: 7 }, () => undefined)];
const groups: readonly (readonly Task[])[] = [
  [
    { name: 'free', constraints: [undefined] },
    { name: 'strings', constraints: [strings] },
    { name: 'records, names forced', constraints: [records] },
  ],
  [
    { name: 'eight free', constraints: eight() },
    { name: 'eight, one of strings', constraints: eight(strings) },
    { name: 'eight, one of records', constraints: eight(records) },
    { name: 'eight of records', constraints: eight().map(() => records) },
  ],
];

const { path } = await resolveModel(process.argv[2]);
const rounds = Number(process.argv[3] ?? 7);
const tokenizer = await readTokenizer(path);
for (const speculation of ['lookup', 'off'] as const) {
  const engine = await openEngine({
    file: path,
    context: 2048,
    speculation,
    threads: process.argv[4] ? Number(process.argv[4]) : undefined,
  });
  for (const tasks of groups) {
    const runs = tasks.map(() => [] as Rate[]);
    const guesses = tasks.map(() => ({ drafted: 0, accepted: 0 }));
    for (let round = -1; round < rounds; round++) {
      for (const [i, task] of tasks.entries()) {
        const start = await engine.stats();
        const rate = await measure(engine, task);
        const end = await engine.stats();
        guesses[i]!.drafted += end.draftedTokens - start.draftedTokens;
        guesses[i]!.accepted += end.acceptedTokens - start.acceptedTokens;
        if (round >= 0) runs[i]!.push(rate);
      }
    }
    const best = (i: number, key: keyof Rate): number => Math.max(...runs[i]!.map(rate => rate[key]));
    for (const [i, { name }] of tasks.entries()) {
      const ratio = (key: keyof Rate): string =>
        `${best(i, key).toFixed(1)} (${(best(i, key) / best(0, key)).toFixed(3)})`;
      const { drafted, accepted } = guesses[i]!;
      console.log(
        `speculation ${speculation}, ${name}: tokens in a second of CPU ${ratio('cpu')}, of the clock ${ratio('clock')}, ` +
          `in a step ${best(i, 'steps').toFixed(2)}; ${accepted} of ${drafted} guesses right`,
      );
    }
  }
  await engine.close();
}

interface Rate {
  /** Tokens in a second. */
  readonly cpu: number;
  readonly clock: number;
  /** Tokens in a step. */
  readonly steps: number;
}

/** From the first token to the last. */
async function measure(engine: Engine, { constraints }: Task): Promise<Rate> {
  const { steps } = await engine.stats();
  const cpu = process.cpuUsage();
  const started = performance.now();
  const answers = await Promise.all(constraints.map((constraint, i) => answer(engine, i, constraint)));
  const { user, system } = process.cpuUsage(cpu);
  const ms = performance.now() - started;
  const tokens = answers.reduce((sum, each) => sum + each.length, 0);
  return {
    cpu: (tokens * 1e6) / (user + system),
    clock: (tokens * 1e3) / ms,
    steps: tokens / ((await engine.stats()).steps - steps),
  };
}

async function answer(engine: Engine, seed: number, constraint: ConstraintSource | undefined): Promise<Token[]> {
  // Nobody is served from another's pages, and nothing ends guesses it has its length.
  const sampling = {
    temperature: 1,
    topP: 0.9,
    seed,
    logitBias: [...tokenizer.endOfGeneration].map(token => [token, -100] as const),
  };
  const tokens: Token[] = [];
  const work = {
    id: randomUUID(),
    tenant: 'bench',
    prompt: tokenizer.encode(`${seed}. ${prompt}`),
    maxTokens: length,
    sampling,
  };
  for await (const event of engine.submit({ ...work, constraint })) {
    if (event.kind === 'token') tokens.push(event.token);
    if (event.kind === 'error') throw new Error(event.message);
  }
  if (tokens.length !== length) throw new Error(`${tokens.length} tokens`);
  return tokens;
}

import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Instance, TrialResult } from '../constrain/trial.ts';
import { RealmError } from '../errors.ts';
import type { Tokenizer } from '../tokenizer/types.ts';
import { print, visible } from './output.ts';

interface Options {
  readonly json?: boolean;
}

export function addConstrain(realm: Command): void {
  realm
    .command('constrain')
    .argument('<model>', 'a model, or a file with only a vocabulary')
    .description('Try JSON Schemas: whether they can be enforced, what they accept, and what that costs.')
    .option('--json', 'print one line of JSON for each line that is read')
    .addHelpText(
      'after',
      `
Standard input has a line for each schema, with instances to try:
  {"schema": {"type": "integer"}, "tests": [{"data": 1, "valid": true}, {"data": "x", "valid": false}]}
An instance is accepted if a model could write it, compact and indented, its keys in the order in
which the schema first names them.

Examples:
  $ realm constrain smollm2-135m < schemas.jsonl
  $ realm constrain model.gguf --json < schemas.jsonl`,
    )
    .action(constrain);
}

async function constrain(model: string, options: Options): Promise<void> {
  const { openModelFile } = await import('./open-file.ts');
  const { createTokenizer } = await import('../tokenizer/create.ts');
  const { trySchema } = await import('../constrain/trial.ts');
  const gguf = await openModelFile(model);
  let tokenizer: Tokenizer;
  try {
    tokenizer = createTokenizer(gguf.metadata);
  } finally {
    await gguf.close();
  }
  let number = 0;
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    number++;
    if (line.trim() === '') continue;
    const { schema, tests = [] } = readTrial(line, number);
    const result = trySchema(schema, tests, tokenizer, () => performance.now());
    print(options.json ? JSON.stringify(result) : `line ${number}: ${visible(describe(result, tests))}`);
  }
}

const trial = z.object({
  schema: z.union([z.record(z.string(), z.unknown()), z.boolean()]),
  tests: z.array(z.object({ data: z.unknown(), valid: z.boolean().optional() })).optional(),
});

function readTrial(line: string, number: number): z.infer<typeof trial> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new RealmError('invalid_json', `line ${number} is not JSON: each line is one object with a schema`);
  }
  const read = trial.safeParse(value);
  if (!read.success) {
    const { path, message } = read.error.issues[0]!;
    throw new RealmError('invalid_request', `line ${number}: ${path.join('.') || 'the line'}: ${message}`);
  }
  const { tests } = JSON.parse(line, asWritten) as { tests?: Instance[] };
  return { ...read.data, tests };
}

/** Numbers of instances stay as they are written: 1.0 is not the text 1. */
function asWritten(_key: string, value: unknown, context?: { source?: string }): unknown {
  const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
  return typeof value === 'number' && context?.source !== undefined ? rawJSON(context.source) : value;
}

function describe(result: TrialResult, tests: readonly Instance[]): string {
  if (!result.ok) return `refused: ${result.code}: ${result.message}`;
  const wrong = result.tests.flatMap(({ accepted }, index) => {
    const { valid } = tests[index]!;
    return valid === undefined || valid === accepted ? [] : [`test ${index + 1} ${accepted ? 'accepted' : 'rejected'}`];
  });
  const { p50, p99, max } = result.mask_us;
  const accepted = result.tests.filter(test => test.accepted).length;
  return [
    `${accepted} of ${result.tests.length} accepted`,
    ...(wrong.length > 0 ? [`not as expected: ${wrong.join(', ')}`] : []),
    `compiled in ${(result.compile_us / 1000).toFixed(1)} ms`,
    `masks p50 ${p50}, p99 ${p99}, at most ${max} µs`,
  ].join('; ');
}

/**
 * What drafts bring where a model edits code: it repeats a file of ours with changes.
 * `npm run bench:editing -- MODEL [DRAFT_MODEL] [--rounds 3] [--tokens 400]`
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { summary } from '../../src/bench/bench.ts';
import { resolveModel } from '../../src/catalog/resolve.ts';
import { table } from '../../src/cli/output.ts';
import type { Engine } from '../../src/engine/types.ts';
import { type OpenEngineOptions, openEngine } from '../../src/engine/worker/handle.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { readTokenizer } from './tokenizer.ts';

const source = new URL('../../src/engine/admission.ts', import.meta.url);
const wish = 'Rename checkRequest to refuseRequest and checkLength to refuseLength. Answer with the whole file alone.';
const temperatures = [0, 0.7];

interface Answer {
  readonly tokens: readonly Token[];
  /** From the first token to the last. */
  readonly tokensPerSecond: number;
}

async function edit(engine: Engine, prompt: readonly Token[], maxTokens: number, temperature: number): Promise<Answer> {
  const sampling = { temperature, seed: 7 };
  const tokens: Token[] = [];
  let first = 0;
  for await (const event of engine.submit({ id: randomUUID(), tenant: 'bench', prompt, maxTokens, sampling })) {
    if (event.kind !== 'token') continue;
    if (tokens.push(event.token) === 1) first = performance.now();
  }
  return { tokens, tokensPerSecond: ((tokens.length - 1) * 1000) / (performance.now() - first) };
}

function modesWith(draft: string | undefined): readonly (readonly [string, Partial<OpenEngineOptions>])[] {
  const alone = [
    ['nothing', { speculation: 'off' }],
    ['lookup', { speculation: 'lookup' }],
  ] as const;
  if (!draft) return alone;
  return [...alone, ['draft model', { speculation: 'off', draft }], ['both', { speculation: 'lookup', draft }]];
}

/** The engines hold the models and take turns; every answer must be the one without drafts. */
async function bench(name: string, draftName: string | undefined, options: { rounds: number; tokens: number }) {
  const { path } = await resolveModel(name);
  const modes = modesWith(draftName && (await resolveModel(draftName)).path);
  const code = await readFile(source, 'utf8');
  const user = `${wish}\n\n\`\`\`ts\n${code}\`\`\``;
  const text = `<|im_start|>user\n${user}<|im_end|>\n<|im_start|>assistant\n`;
  const prompt = (await readTokenizer(path)).encode(text);
  const engines = await Promise.all(modes.map(([, mode]) => openEngine({ file: path, context: 4096, ...mode })));
  const rows: string[][] = [];
  for (const temperature of temperatures) {
    const answers: Answer[][] = [];
    for (let round = 0; round < options.rounds; round++) {
      const turn: Answer[] = [];
      for (const engine of engines) turn.push(await edit(engine, prompt, options.tokens, temperature));
      answers.push(turn);
    }
    const plain = String(answers[0]![0]!.tokens);
    for (const [i, [mode]] of modes.entries()) {
      const rate = summary(answers.map(turn => turn[i]!.tokensPerSecond));
      const ratio = summary(answers.map(turn => turn[i]!.tokensPerSecond / turn[0]!.tokensPerSecond));
      const same = answers.every(turn => String(turn[i]!.tokens) === plain);
      const spread = `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}..${ratio.max.toFixed(2)})`;
      const count = answers[0]![i]!.tokens.length;
      rows.push([String(temperature), mode, rate.median.toFixed(1), spread, String(count), same ? 'yes' : 'NO']);
    }
  }
  await Promise.all(engines.map(engine => engine.close()));
  console.log(`prompt of ${prompt.length} tokens`);
  console.log(table([['temperature', 'guesses', 'tokens/s', 'to nothing', 'tokens', 'same'], ...rows]));
}

await new Command('bench:editing')
  .argument('<model>', 'a GGUF file or catalog name, of a model with ChatML')
  .argument('[draft]', 'a smaller model with the same vocabulary')
  .option('--rounds <n>', 'rounds', Number, 3)
  .option('--tokens <n>', 'the longest answer', Number, 400)
  .action(bench)
  .parseAsync();
process.exit(0);

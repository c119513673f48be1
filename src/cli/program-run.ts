import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import type { DeviceChoice } from '../backend/device.ts';
import { RealmError } from '../errors.ts';
import { ranges } from '../ranges.ts';
import { keptAlive } from './alive.ts';
import { context, device, deviceHelp, gpuLayers, gpuLayersHelp, number, threads, wholeNumber } from './options.ts';
import { printJson, remark } from './output.ts';

interface RunProgramOptions {
  readonly model?: string;
  readonly prompt?: string;
  readonly input?: string;
  readonly maxTokens?: number;
  readonly memory?: number;
  readonly context?: number;
  readonly threads?: number;
  readonly device?: DeviceChoice;
  readonly gpuLayers?: number;
  readonly json?: boolean;
}

export function addRunProgram(program: Command): void {
  program
    .command('run')
    .argument('<file>', 'a module, NAME.wasm')
    .description('Run a program on a request, without a server and under the limits of one.')
    .option('-m, --model <name|file>', 'a catalog name or a GGUF file (default: smollm2-135m)')
    .option('--prompt <text>', 'one message of a chat')
    .option('--input <file>', "the request's body as JSON, with messages or a prompt")
    .option('--max-tokens <n>', 'longest answer', number(ranges.maxTokens))
    .option('--memory <mb>', 'that it may have (default: 64)', wholeNumber(1, 4096))
    .option('--context <tokens>', 'longest prompt and answer together', context)
    .option('--threads <n>', 'compute threads', threads)
    .option('--device <device>', deviceHelp, device)
    .option('--gpu-layers <n>', gpuLayersHelp, gpuLayers)
    .option('--json', 'print answer, calls and usage as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  $ realm program run summary.wasm --prompt "Say hello"\n  $ realm program run summary.wasm --model model.gguf --input request.json',
    )
    .action((file: string, options: RunProgramOptions) => keptAlive(() => runProgram(file, options)));
}

type Body = Readonly<Record<string, unknown>>;

async function runProgram(file: string, options: RunProgramOptions): Promise<void> {
  const body = await bodyOf(options);
  const { LocalRun } = await import('./local-run.ts');
  await using local = await LocalRun.start(resolve(file), options);
  const end = new AbortController();
  process.once('SIGINT', () => end.abort());
  let text = '';
  for await (const piece of local.answer(body, end.signal)) {
    text += piece;
    if (!options.json) process.stdout.write(piece);
  }
  const cost = await local.cost();
  if (options.json) return printJson({ program: basename(file), text, ...cost });
  process.stdout.write('\n');
  const { calls, input_tokens, cached_tokens, output_tokens, fuel, ms } = cost;
  const computed = fuel === undefined ? '' : `, ${fuel} fuel`;
  const tokens = `${input_tokens} tokens in (${cached_tokens} cached), ${output_tokens} out`;
  remark(`${calls} ${calls === 1 ? 'call' : 'calls'} of the model, ${tokens}${computed}, ${ms} ms`);
}

async function bodyOf(options: RunProgramOptions): Promise<Body> {
  const body = await requestOf(options);
  return options.maxTokens === undefined ? body : { ...body, max_tokens: options.maxTokens };
}

async function requestOf({ prompt, input }: RunProgramOptions): Promise<Body> {
  if ((prompt === undefined) === (input === undefined))
    throw new RealmError('usage', 'What to run it on? Say --prompt or --input.');
  if (prompt !== undefined) return { messages: [{ role: 'user', content: prompt }] };
  const text = await readFile(input!, 'utf8').catch(cause => {
    throw new RealmError('usage', `${input} cannot be read: ${cause.code ?? cause.message}.`, { cause });
  });
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && ('messages' in body || 'prompt' in body)) return body as Body;
  } catch (cause) {
    throw new RealmError('invalid_json', `${input}: ${(cause as Error).message}`, { cause });
  }
  throw new RealmError('usage', `${input}: must be an object with messages or a prompt.`);
}

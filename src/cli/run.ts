import type { Command } from 'commander';
import { ranges } from '../ranges.ts';
import type { RunOptions } from './chat.ts';
import {
  context as contextOption,
  device,
  deviceHelp,
  gpuLayers,
  gpuLayersHelp,
  number,
  seed,
  threads,
} from './options.ts';

export function addRun(realm: Command): void {
  realm
    .command('run')
    .argument('[prompt]', 'one prompt; without it, a chat in the terminal, or the prompt from standard input')
    .description('Ask a model: one prompt, or a chat.')
    .option('-m, --model <name|file>', 'a catalog name or a GGUF file (default: smollm2-135m)')
    .option('--system <text>', 'system prompt')
    .option('--max-tokens <n>', 'longest answer', number(ranges.maxTokens))
    .option('--temperature <t>', '0 is greedy', number(ranges.temperature))
    .option('--top-p <p>', 'smallest set of tokens whose probability reaches p', number(ranges.topP))
    .option('--seed <n>', 'the same seed gives the same text', seed)
    .option('--context <tokens>', 'longest prompt and answer together', contextOption)
    .option('--threads <n>', 'compute threads', threads)
    .option('--device <device>', deviceHelp, device)
    .option('--gpu-layers <n>', gpuLayersHelp, gpuLayers)
    .option('--schema <file>', 'a JSON Schema that answers must fit')
    .option('--grammar <file>', 'a grammar that answers must fit: GBNF, or Lark in a file named .lark')
    .option('--json', 'print the answer and its measurements as JSON (one prompt only)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ realm run "What is the capital of France?"\n  $ realm run --model llama-3.2-1b\n  $ echo "Say hello" | realm run --json',
    )
    .action(async (prompt: string | undefined, options: RunOptions) => {
      const { chat } = await import('./chat.ts');
      await chat(prompt, options);
    });
}

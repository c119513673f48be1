/**
 * A model is unloaded so many times while requests ask for it: none may fail, and memory must return.
 * `npm run bench:reloads -- [TIMES] [--model FILE]`
 */
import { Command } from 'commander';
import { formatBytes } from '../../src/cli/output.ts';
import { reload } from './reloads/run.ts';

await new Command('bench:reloads')
  .argument('[times]', 'how often it is unloaded', Number, 1000)
  .option('--model <file>', 'a GGUF file instead of a tiny synthetic one')
  .option('--clients <n>', 'requests at once', Number, 4)
  .action(async (times: number, options: { model?: string; clients: number }) => {
    const started = performance.now();
    const onTenth = (resident: number) => console.error(`resident ${formatBytes(resident)}`);
    const { loads, requests, failed, resident } = await reload({ times, ...options, onTenth });
    const seconds = Math.round((performance.now() - started) / 1000);
    console.log(`${loads} loads, ${requests} requests, ${failed.length} failed, ${seconds} s`);
    console.log(`resident: ${resident.map(formatBytes).join(', ')}`);
    for (const text of failed.slice(0, 5)) console.log(text);
    process.exitCode = failed.length > 0 ? 1 : 0;
  })
  .parseAsync();

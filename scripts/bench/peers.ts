/** Engines that are measured side by side, each in processes of its own. A measurement is tokens a second by test. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export type Rates = Readonly<Record<string, number>>;

export interface Work {
  readonly prompt: number;
  readonly gen: number;
  readonly batch: number;
  readonly depths: readonly number[];
  readonly threads: number;
}

export interface Peer {
  readonly name: string;
  measure(model: string, work: Work): Promise<Rates>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

async function output(command: string, args: readonly (string | number)[], env = {}): Promise<string> {
  const options = { maxBuffer: 1 << 26, env: { ...process.env, ...env } };
  const { stdout } = await promisify(execFile)(command, args.map(String), options);
  return stdout;
}

/** `realm bench`; `variant` in another kernel variant than the chosen one. */
export function realm(variant?: string): Peer {
  return {
    name: variant ? `Realm (${variant})` : 'Realm',
    async measure(model, { prompt, gen, batch, depths, threads }) {
      const args = ['--prompt', prompt, '--gen', gen, '--batch', batch, '--threads', threads, '--reps', 1, '--json'];
      const depth = depths.length > 0 ? ['--depth', depths.join(',')] : [];
      const more = variant ? ['--variant', variant] : [];
      const text = await output(join(root, 'bin/realm'), ['bench', '--model', model, ...args, ...depth, ...more]);
      const { results } = JSON.parse(text) as { results: { test: string; tokensPerSecond: { median: number } }[] };
      return Object.fromEntries(results.map(({ test, tokensPerSecond }) => [test, tokensPerSecond.median]));
    },
  };
}

/** The prebuilt llama.cpp that npm installs. */
export const nodeLlama: Peer = {
  name: 'node-llama-cpp',
  async measure(model, { prompt, gen, threads }) {
    const script = join(root, 'scripts/bench/node-llama.ts');
    return JSON.parse(await output(process.execPath, [script, model, prompt, gen, threads])) as Rates;
  },
};

/** llama.cpp's own tools, built for this machine, in the folder `bin`. */
export function llamaBench(bin: string): Peer {
  return {
    name: 'llama.cpp',
    async measure(model, { prompt, gen, batch, depths, threads }) {
      const rates: Record<string, number> = {};
      const common = ['-m', model, '-t', threads, '-r', 1, '-o', 'json'];
      for (const depth of depths) {
        // A prompt is processed without depth only; flash attention is on where its own default has it.
        const work = ['-p', depth === 0 ? prompt : 0, '-n', gen, '-d', depth];
        const rows = JSON.parse(await output(join(bin, 'llama-bench'), [...common, ...work])) as LlamaBenchRow[];
        for (const { n_prompt, n_gen, avg_ts } of rows) {
          rates[n_gen > 0 ? `tg${n_gen}${depth ? `@d${depth}` : ''}` : `pp${n_prompt}`] = avg_ts;
        }
      }
      if (batch > 1 && existsSync(join(bin, 'llama-batched-bench'))) {
        const size = batch * (gen + 32);
        const args = ['-m', model, '-c', size, '-npp', 16, '-ntg', gen, '-npl', batch, '-t', threads, '-tb', threads];
        const text = await output(join(bin, 'llama-batched-bench'), [...args, '--output-format', 'jsonl']);
        const line = text.split('\n').find(row => row.startsWith('{'));
        if (line) rates[`tg${gen}x${batch}`] = (JSON.parse(line) as { speed_tg: number }).speed_tg;
      }
      return rates;
    },
  };
}

interface LlamaBenchRow {
  readonly n_prompt: number;
  readonly n_gen: number;
  readonly avg_ts: number;
}

/**
 * Eight tenants stream at once, prompts of their own, answers of 64 tokens: Realm beside `llama-server -np 8`, in turns. The load
 * comes from a process of its own. `LLAMA_CPP_BIN=… npm run bench:tenants -- [MODEL] [ROUNDS] [WORDS]`
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { summary } from '../../src/bench/bench.ts';
import { resolveModel } from '../../src/catalog/resolve.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import type { Job, Seen } from './load.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = process.env.LLAMA_CPP_BIN;
if (!bin) throw new Error('LLAMA_CPP_BIN must name the folder that holds llama-server');
const { path: model } = await resolveModel(process.argv[2]);
const rounds = Number(process.argv[3] ?? 5);
const words = Number(process.argv[4] ?? 90);
const answer = 64;
const tenants = Array.from({ length: 8 }, (_, i) => ({ id: `t${i}`, ...createKey(`t${i}`) }));

interface Server {
  readonly name: string;
  readonly process: ChildProcess;
  job(tenant: number, prompt: string): Job;
}

async function ready(url: string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (
      await fetch(url).then(
        r => r.ok,
        () => false,
      )
    )
      return;
    await sleep(100);
  }
  throw new Error(`${url} does not answer`);
}

async function startRealm(folder: string, port: number): Promise<Server> {
  const list = tenants.map(({ id, hash }) => `  - { id: ${id}, keys: ["${hash}"] }`).join('\n');
  const config = join(folder, 'realm.yaml');
  await writeFile(config, `models:\n  - { id: m, path: ${JSON.stringify(model)}, context: 2048 }\ntenants:\n${list}\n`);
  const child = spawn(join(root, 'bin/realm'), ['serve', '--config', config, '--port', String(port)], {
    stdio: 'ignore',
  });
  const url = `http://127.0.0.1:${port}`;
  await ready(`${url}/ready`);
  // The end-of-text tokens of small vocabularies: nothing but its length ends an answer.
  const bias = { 0: -100, 2: -100 };
  const body = {
    model: 'm',
    max_tokens: answer,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
  };
  return {
    name: 'Realm',
    process: child,
    job: (tenant, prompt) => ({
      url: `${url}/v1/completions`,
      key: tenants[tenant]!.key,
      body: { ...body, prompt, logit_bias: bias },
    }),
  };
}

async function startLlama(port: number): Promise<Server> {
  const args = ['-m', model, '-np', 8, '-t', 2, '-c', 8 * 1024, '--port', port, '--host', '127.0.0.1', '--no-webui'];
  const child = spawn(join(bin!, 'llama-server'), args.map(String), { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  await ready(`${url}/health`);
  const body = { max_tokens: answer, temperature: 0, stream: true, ignore_eos: true, cache_prompt: false };
  return {
    name: 'llama-server',
    process: child,
    job: (_, prompt) => ({
      url: `${url}/v1/completions`,
      body: { ...body, prompt, stream_options: { include_usage: true } },
    }),
  };
}

/** Words that no other prompt begins with. */
function promptOf(round: number, tenant: number): string {
  const list =
    'river market stone winter letter garden engine silver mountain paper window harbour candle forest bridge'.split(
      ' ',
    );
  return Array.from(
    { length: words },
    (_, i) => list[(i * (tenant + 3) + round * 5 + tenant + (i >> 3)) % list.length],
  ).join(' ');
}

async function measure({ job }: Server, round: number): Promise<{ rate: number; p50: number; p95: number }> {
  const jobs = tenants.map((_, tenant) => job(tenant, promptOf(round, tenant)));
  const seen = await new Promise<Seen[]>((resolve, reject) => {
    const child = execFile(process.execPath, [join(root, 'scripts/bench/load.ts')], (error, stdout) =>
      error ? reject(error) : resolve(JSON.parse(stdout) as Seen[]),
    );
    child.stdin!.end(JSON.stringify(jobs));
  });
  const tokens = seen.reduce((sum, each) => sum + each.tokens, 0);
  if (tokens !== tenants.length * answer)
    throw new Error(`${tokens} tokens came, ${tenants.length * answer} were asked for`);
  const first = seen.map(each => each.firstMs).toSorted((a, b) => a - b);
  return { rate: (tokens * 1000) / Math.max(...seen.map(each => each.endMs)), p50: first[4]!, p95: first.at(-1)! };
}

const folder = await mkdtemp(join(tmpdir(), 'realm-bench-'));
const servers: Server[] = [];
try {
  servers.push(await startRealm(folder, 18_473), await startLlama(18_474));
  const results = servers.map((): { rate: number; p50: number; p95: number }[] => []);
  for (let round = -1; round < rounds; round++) {
    for (const [i, server] of servers.entries()) {
      const result = await measure(server, round + 1);
      if (round >= 0) results[i]!.push(result);
    }
  }
  for (const key of ['rate', 'p50', 'p95'] as const) {
    const [ours, theirs] = results.map(list => summary(list.map(each => each[key])));
    const ratio = summary(results[0]!.map((each, i) => each[key] / results[1]![i]![key]));
    const what = key === 'rate' ? 'tokens/s in all' : `ms to the first token, ${key}`;
    console.log(
      `${what}: Realm ${ours!.median.toFixed(0)}, llama-server ${theirs!.median.toFixed(0)}: ${ratio.median.toFixed(2)}x (${ratio.min.toFixed(2)}..${ratio.max.toFixed(2)})`,
    );
  }
} finally {
  for (const server of servers) server.process.kill('SIGTERM');
  await rm(folder, { recursive: true });
}
process.exit(0);

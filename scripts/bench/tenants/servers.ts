import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createKey } from '../../../src/tenancy/keys.ts';
import type { Client, Job, Seen } from './load.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** A server in a process of its own. */
export interface Server {
  /** A streamed greedy completion of exactly so many tokens. */
  job(tenant: number, prompt: string, tokens: number): Job;
  /** Resident bytes. */
  memory(): number;
  stop(): Promise<void>;
}

export interface RealmServer extends Server {
  readonly url: string;
  /** The tenants'. */
  readonly keys: readonly string[];
  /** A figure of /metrics, summed over its labels. */
  metric(name: string, labels?: string): Promise<number>;
  /** What it wrote to standard error that is no log line. */
  warnings(): string;
}

export interface RealmSetup {
  readonly model: string;
  readonly tenants: number;
  /** Token ids that would end an answer early. */
  readonly ends: Iterable<number>;
  /** More lines of the model's entry in the configuration. */
  readonly options?: Record<string, unknown>;
  /** More lines of each tenant's entry. */
  readonly limits?: Record<string, unknown>;
  /** A module for each tenant; undefined: none. */
  readonly programs?: readonly (string | undefined)[];
  /** Compute threads; default: all processors. */
  readonly threads?: number;
}

export async function startRealm({ model, tenants, ends, ...setup }: RealmSetup): Promise<RealmServer> {
  const { options, limits, programs, threads } = setup;
  const keys = Array.from({ length: tenants }, (_, i) => createKey(`t${i}`));
  const folder = await mkdtemp(join(tmpdir(), 'realm-bench-'));
  const config = {
    models: [{ id: 'm', path: model, context: 2048, ...options }],
    server: { metrics: 'public' },
    tenants: keys.map(({ hash }, i) => ({ id: `t${i}`, keys: [hash], ...limits, program: programs?.[i] })),
  };
  await writeFile(join(folder, 'realm.yaml'), JSON.stringify(config));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = ['serve', '--config', join(folder, 'realm.yaml'), '--port', String(port)];
  if (threads !== undefined) args.push('--threads', String(threads));
  const child = spawn(join(root, 'bin/realm'), args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr!.on('data', data => {
    errors += String(data);
  });
  await ready(child, `${url}/ready`);
  const bias = Object.fromEntries([...ends].map(token => [token, -100]));
  return {
    url,
    keys: keys.map(({ key }) => key),
    job: (tenant, prompt, tokens) => ({
      url: `${url}/v1/completions`,
      key: keys[tenant]!.key,
      body: { ...common(prompt, tokens), model: 'm', logit_bias: bias },
    }),
    memory: () => resident(child),
    metric: async (name, labels = '[^}]*') => {
      const page = await (await fetch(`${url}/metrics`)).text();
      const found = page.matchAll(new RegExp(`^${name}(?:\\{${labels}\\})? (\\S+)$`, 'gm'));
      return [...found].reduce((sum, [, value]) => sum + Number(value), 0);
    },
    warnings: () => errors.replace(/^\{.*\}\n/gm, ''),
    stop: async () => {
      await end(child);
      await rm(folder, { recursive: true });
    },
  };
}

/** `llama-server` of the folder `bin`, with a slot for each client. */
export async function startLlama(bin: string, model: string, slots: number): Promise<Server> {
  const port = await freePort();
  const places = ['-np', slots, '-t', 2, '-c', slots * 1024, '--port', port, '--host', '127.0.0.1'];
  const args = ['-m', model, ...places, '--no-webui'].map(String);
  const child = spawn(join(bin, 'llama-server'), args, { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  await ready(child, `${url}/health`);
  return {
    job: (_, prompt, tokens) => ({
      url: `${url}/v1/completions`,
      body: { ...common(prompt, tokens), ignore_eos: true, cache_prompt: false },
    }),
    memory: () => resident(child),
    stop: () => end(child),
  };
}

/** Has a process of its own send the requests. */
export async function load(clients: readonly Client[]): Promise<Seen[][]> {
  const child = spawn(process.execPath, [join(root, 'scripts/bench/tenants/load.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin!.end(JSON.stringify(clients));
  return JSON.parse(await text(child.stdout!)) as Seen[][];
}

function common(prompt: string, tokens: number) {
  const streamed = { stream: true, stream_options: { include_usage: true } };
  return { prompt, max_tokens: tokens, temperature: 0, ...streamed };
}

function resident({ pid }: ChildProcess): number {
  return 1024 * Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }));
}

async function end(child: ChildProcess): Promise<void> {
  const ended = new Promise(resolve => child.once('close', resolve));
  child.kill('SIGTERM');
  await ended;
}

async function ready(child: ChildProcess, url: string): Promise<void> {
  const answers = () =>
    fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await answers())) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended`);
    await sleep(100);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** A real server: `bin/realm serve` as a process, with the real model. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { resolveModel } from '../../src/catalog/resolve.ts';

const realm = fileURLToPath(new URL('../../bin/realm', import.meta.url));

/** Generous: a loaded machine is no failure. */
export const patienceMs = 120_000;

/** The default model's file. Not there and not to be had: the tests fail, in CI and elsewhere. */
export async function modelPath(): Promise<string> {
  return (await resolveModel('smollm2-135m')).path;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

export class RealmProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  output = '';

  constructor(args: readonly string[], env: Record<string, string> = {}) {
    this.child = spawn(realm, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, REALM_DEBUG: '', ...env },
    });
    const take = (data: Buffer) => {
      this.output += data;
    };
    this.child.stdout!.on('data', take);
    this.child.stderr!.on('data', take);
    this.exited = new Promise(resolve =>
      this.child.on('close', (code, signal) => resolve({ code, signal, output: this.output })),
    );
  }

  /** The first match of `pattern` in what it prints; fails when it exits before. */
  async printed(pattern: RegExp): Promise<string> {
    let over = false;
    void this.exited.then(() => {
      over = true;
    });
    return until(`the server prints ${pattern}`, () => {
      const match = pattern.exec(this.output);
      if (match === null && over) throw new Error(`the server ended:\n${this.output}`);
      return match?.[0];
    });
  }

  async stop(): Promise<Exit> {
    this.child.kill('SIGINT');
    const kill = setTimeout(() => this.child.kill('SIGKILL'), 30_000);
    return this.exited.finally(() => clearTimeout(kill));
  }
}

export interface RunningServer {
  readonly process: RealmProcess;
  readonly url: string;
}

/** Starts `realm serve` on a free port and waits until it is ready. */
export async function serve(...args: string[]): Promise<RunningServer> {
  return started(new RealmProcess(['serve', '--port', '0', ...args]));
}

export interface WatchedServer extends RunningServer {
  /** The longest stretch that the serving thread has computed without turning its event loop since the last call, ms. */
  longestTurn(): Promise<number>;
}

/** The same, with an eye on its event loop; `file` is where it is told of. */
export async function serveWatched(file: string, ...args: string[]): Promise<WatchedServer> {
  const watch = new URL('./loop-watch.mjs', import.meta.url).href;
  const env = { NODE_OPTIONS: `--import=${watch}`, REALM_LOOP_FILE: file };
  const server = await started(new RealmProcess(['serve', '--port', '0', ...args], env));
  const longestTurn = async () => {
    await rm(file, { force: true });
    server.process.child.kill('SIGUSR2');
    return until('the loop was looked at', async () => {
      const text = await readFile(file, 'utf8').catch(() => '');
      return text === '' ? undefined : Number(text);
    });
  };
  return { ...server, longestTurn };
}

async function started(process: RealmProcess): Promise<RunningServer> {
  try {
    const url = await process.printed(/http:\/\/127\.0\.0\.1:\d+/);
    await until('the server is ready', async () => (await fetch(`${url}/ready`)).ok || undefined);
    return { process, url };
  } catch (error) {
    process.child.kill('SIGKILL');
    throw error;
  }
}

export function client(url: string, apiKey = 'any'): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, timeout: patienceMs });
}

/** Asks again and again until there is an answer. */
export async function until<T>(what: string, ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const end = Date.now() + patienceMs;
  while (Date.now() < end) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await sleep(50);
  }
  throw new Error(`waited in vain until ${what}`);
}

/** One figure of /metrics, summed over its labels. */
export async function metric(url: string, name: string): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text();
  const values = [...page.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].map(match =>
    Number(match[1]),
  );
  if (values.length === 0) throw new Error(`no ${name} in\n${page}`);
  return values.reduce((a, b) => a + b);
}

/** A folder with the given files, removed by `remove`. */
export async function folder(
  files: Record<string, string | Uint8Array>,
): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'realm-e2e-'));
  await Promise.all(Object.entries(files).map(([name, content]) => writeFile(join(path, name), content)));
  return { path, remove: () => rm(path, { recursive: true }) };
}

/** Redis for tests, from Debian's package: a process of its own that keeps nothing. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

/** Why tests with Redis are skipped; false: they are not. */
export const noRedis: string | false = installed() ? false : 'Redis is not installed';

function installed(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

export interface Redis {
  readonly url: string;
  /** Ends it at once, without a word to its clients. */
  kill(): Promise<void>;
  /** Starts it again, empty. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function startRedis(): Promise<Redis> {
  if (noRedis) throw new Error(noRedis);
  const folder = mkdtempSync(join(tmpdir(), 'realm-redis-'));
  const port = await freePort();
  let server: ReturnType<typeof spawn> | undefined;
  const start = async () => {
    const options = [
      '--bind',
      '127.0.0.1',
      '--port',
      String(port),
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      folder,
    ];
    server = spawn('redis-server', options, { stdio: 'ignore' });
    await answers(port);
  };
  const kill = async () => {
    const ended = server;
    server = undefined;
    if (!ended || ended.exitCode !== null) return;
    const exit = new Promise(resolve => ended.once('exit', resolve));
    ended.kill('SIGKILL');
    await exit;
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    start,
    kill,
    close: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answers(port: number): Promise<void> {
  for (let i = 0; i < 100; i++) {
    try {
      execFileSync('redis-cli', ['-p', String(port), 'ping'], { stdio: 'pipe' });
      return;
    } catch {
      await sleep(50);
    }
  }
  throw new Error('Redis does not start');
}

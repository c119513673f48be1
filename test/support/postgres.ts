/** PostgreSQL for tests: a cluster of its own in a folder of its own, from Debian's packages. */
import { execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

const binaries = globSync('/usr/lib/postgresql/*/bin').sort().at(-1);

/** Why tests with PostgreSQL are skipped; false: they are not. */
export const noPostgres: string | false =
  binaries !== undefined && existsSync(join(binaries, 'postgres')) ? false : 'PostgreSQL is not installed';

export interface Postgres {
  /** Of an empty database. */
  readonly url: string;
  /** As `kill -9` of the machine's: nothing is written any more. */
  kill(): Promise<void>;
  /** Starts it again on what is on the disk. */
  start(): Promise<void>;
  /** Stops it and removes everything. */
  close(): Promise<void>;
}

/** PostgreSQL refuses to run as root: the package's own user does it then. */
function owner(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

export async function startPostgres(): Promise<Postgres> {
  if (noPostgres) throw new Error(noPostgres);
  const folder = mkdtempSync(join(tmpdir(), 'realm-postgres-'));
  const user = owner();
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid!);
  const data = join(folder, 'data');
  const setUp = ['-D', data, '-U', 'realm', '-A', 'trust', '--no-instructions', '--locale=C', '-E', 'UTF8'];
  execFileSync(join(binaries!, 'initdb'), setUp, { ...user, cwd: folder, stdio: 'pipe' });
  const port = await freePort();
  const url = `postgres://realm@127.0.0.1:${port}/postgres`;
  let server: ReturnType<typeof spawn> | undefined;
  const start = async () => {
    const options = ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', folder];
    server = spawn(join(binaries!, 'postgres'), options, { ...user, cwd: folder, stdio: 'ignore' });
    await answers(port, folder);
  };
  const end = async (signal: NodeJS.Signals) => {
    const ended = server;
    server = undefined;
    if (!ended || ended.exitCode !== null) return;
    const exit = new Promise(resolve => ended.once('exit', resolve));
    ended.kill(signal);
    await exit;
  };
  await start();
  return {
    url,
    start,
    kill: () => end('SIGKILL'),
    close: async () => {
      await end('SIGQUIT');
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function answers(port: number, folder: string): Promise<void> {
  const ready = join(binaries!, 'pg_isready');
  for (let i = 0; i < 300; i++) {
    try {
      execFileSync(ready, ['-q', '-h', '127.0.0.1', '-p', String(port)], { cwd: folder });
      return;
    } catch {
      await sleep(100);
    }
  }
  throw new Error('PostgreSQL does not start');
}

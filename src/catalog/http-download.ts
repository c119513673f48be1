import { RealmError } from '../errors.ts';
import { chunksOf } from '../platform/chunks.ts';
import { differs, type FileVersion, type Part } from './part.ts';
import { checkPin, type KnownPin } from './pin.ts';
import type { Pin } from './types.ts';

/** A server that sends nothing for this long is given up. */
const stallMs = 30_000;
/** Tries in a row that bring no byte. */
const maxIdleTries = 4;

export interface HttpDownload {
  readonly url: string;
  readonly headers?: Record<string, string>;
  /** Grows here; what an earlier try left is continued. */
  readonly part: Part;
  /** What a status means there; undefined: what it means anywhere. */
  readonly refuse?: ((status: number) => RealmError | undefined) | undefined;
  /** What it must become. Without it: what the server says it has. */
  readonly pin?: KnownPin | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress: (received: number, total: number | undefined) => void;
  /** Hears that the file changed on the server, and is downloaded from its beginning. */
  readonly onChange?: () => void;
  /** Wait before the next try after a cut. Default 500 ms, doubling with every try in vain. */
  readonly retryMs?: number | undefined;
  readonly fetch?: typeof fetch;
}

/**
 * Downloads to `part` with resume (RFC 9110, section 14) and leaves it there complete and verified. A cut connection is
 * continued where it broke off, a file that has changed is begun again. Throws `checksum_mismatch` (and removes the part)
 * when the bytes are not the promised ones, `download_failed` when the server cannot or does not deliver them.
 */
export async function downloadHttp(job: HttpDownload): Promise<Pin> {
  for (let idle = 0; ; ) {
    const before = await job.part.size();
    try {
      return await downloadOnce(job, before);
    } catch (failure) {
      if (failure instanceof RealmError) throw failure;
      job.signal?.throwIfAborted();
      idle = (await job.part.size()) > before ? 0 : idle + 1;
      if (idle >= maxIdleTries) throw failed(job, reason(failure), failure);
    }
    await sleep((job.retryMs ?? 500) * 2 ** idle, job.signal);
  }
}

async function downloadOnce(job: HttpDownload, before: number): Promise<Pin> {
  const { part, pin } = job;
  const whole = () => pin?.size ?? part.version?.size;
  // A longer one than the file can only be wrong; of what has no length nobody knows whether it is whole.
  const offset = before <= (whole() ?? 0) ? before : 0;
  if (offset === 0 || offset !== whole()) await receive(job, offset);
  const found = { size: await part.size(), sha256: await part.sha256(job.signal) };
  try {
    checkPin(job.url, found, { ...pin });
    return found;
  } catch (error) {
    await part.remove();
    throw error;
  }
}

async function receive(job: HttpDownload, offset: number): Promise<void> {
  const stall = new AbortController();
  const signal = AbortSignal.any([stall.signal, ...(job.signal ? [job.signal] : [])]);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stillThere = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stall.abort(new Error(`nothing arrived for ${stallMs / 1000} s`)), stallMs);
  };
  try {
    stillThere();
    const response = await ask(job, offset, signal);
    const { start, version } = await startOf(job, response, offset);
    const writer = await job.part.open(start, version).catch(async error => {
      await response.body?.cancel();
      throw error;
    });
    try {
      await copyBody(job, response, start, version, async chunk => {
        stillThere();
        await writer.write(chunk);
      });
    } finally {
      await writer.close();
    }
  } finally {
    clearTimeout(timer);
  }
}

function ask(job: HttpDownload, offset: number, signal: AbortSignal): Promise<Response> {
  // No If-Range: a page would have to ask other servers whether it may be sent. The answer's version is compared.
  const range: Record<string, string> = offset > 0 ? { Range: `bytes=${offset}-` } : {};
  // Without this a proxy may compress, and lengths and ranges would count other bytes than the file's.
  const headers = { 'Accept-Encoding': 'identity', ...job.headers, ...range };
  return (job.fetch ?? fetch)(job.url, { headers, signal, cache: 'no-store' });
}

/** Where in which file this response begins; throws when it is not the file that was asked for. */
async function startOf(
  job: HttpDownload,
  response: Response,
  offset: number,
): Promise<{ start: number; version: FileVersion }> {
  const found = readAnswer(response, offset);
  if (typeof found === 'string') {
    await response.body?.cancel();
    // Worth another try.
    if (response.status >= 500 || response.status === 429) throw new Error(found);
    if (response.status === 416) await job.part.remove();
    throw job.refuse?.(response.status) ?? failed(job, found);
  }
  const { size } = found.version;
  if (job.pin?.size !== undefined && size !== undefined && size !== job.pin.size) {
    await response.body?.cancel();
    throw failed(job, `the file there has ${size} bytes, expected ${job.pin.size}`);
  }
  if (offset > 0 && differs(found.version, job.part.version ?? {})) {
    job.onChange?.();
    if (found.start > 0) {
      await response.body?.cancel();
      await job.part.remove();
      throw new Error('the file changed on the server');
    }
  }
  return found;
}

/** What the server sends, or why that is of no use. */
function readAnswer(response: Response, offset: number): { start: number; version: FileVersion } | string {
  const { status, headers } = response;
  const validator = headers.get('etag') ?? headers.get('last-modified') ?? undefined;
  const length = headers.get('content-encoding') ? null : headers.get('content-length');
  const bytes = length === null ? undefined : Number(length);
  if (status === 200) return { start: 0, version: { size: bytes, validator } };
  if (status === 416) return 'the file on the server is shorter than it was; try again';
  if (status !== 206) return `the server answered ${status}; check the address`;
  const header = headers.get('content-range');
  // Servers hide this header from other origins' pages unless they say otherwise.
  if (header === null && response.type === 'cors')
    return { start: offset, version: { size: bytes && offset + bytes, validator } };
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(header ?? '');
  if (!range || Number(range[1]) !== offset) return 'the server sent another range than asked for';
  return { start: offset, version: { size: range[2] === '*' ? undefined : Number(range[2]), validator } };
}

async function copyBody(
  job: HttpDownload,
  response: Response,
  start: number,
  version: FileVersion,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  const total = job.pin?.size ?? version.size;
  let received = start;
  job.onProgress(received, total);
  for await (const chunk of chunksOf(response.body)) {
    received += chunk.length;
    if (total !== undefined && received > total) {
      await job.part.remove(); // What came before is as doubtful.
      throw failed(job, `the server sends more than the ${total} bytes expected`);
    }
    await write(chunk);
    job.onProgress(received, total);
  }
  if (received < (total ?? 0)) throw new Error(`the connection ended after ${received} of ${total} bytes`);
}

function failed(job: HttpDownload, why: string, cause?: unknown): RealmError {
  return new RealmError('download_failed', `${job.url}: ${why}.`, { cause });
}

/** fetch wraps the interesting message ("getaddrinfo ENOTFOUND …") in a cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

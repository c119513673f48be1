import { asRealmError, RealmError } from '../errors.ts';
import { chunksOf } from '../platform/chunks.ts';
import { escapeText } from './escape.ts';
import { refuse } from './refuse.ts';
import type { Reader } from './types.ts';

export interface HttpOptions {
  readonly fetch?: typeof fetch;
  readonly headers?: Readonly<Record<string, string>>;
  /** A request that has not ended after this time is given up. Default 60 000. */
  readonly timeoutMs?: number;
}

/**
 * A file on a web server, read with range requests. The server is asked for one byte first: one that does not honour ranges, or
 * does not say how long the file is, is refused with `download_failed` before it can send the whole file.
 */
export async function openHttp(url: string, options: HttpOptions = {}): Promise<Reader> {
  const source = { url, options, validator: undefined as string | undefined };
  const { response, size } = await request(source, 0, 1);
  await response.body?.cancel();
  source.validator = response.headers.get('etag') ?? response.headers.get('last-modified') ?? undefined;
  const readInto = (offset: number, target: Uint8Array) => fetchInto(source, size, offset, target);
  const read = async (offset: number, length: number) => {
    checkInside(url, size, offset, length);
    const bytes = new Uint8Array(length);
    await readInto(offset, bytes);
    return bytes;
  };
  return { name: url, size, read, readInto, close: async () => {} };
}

interface Source {
  readonly url: string;
  readonly options: HttpOptions;
  /** ETag or date of the first answer: the file must still be the same one at every later read. */
  validator: string | undefined;
}

async function fetchInto(source: Source, size: number, offset: number, target: Uint8Array): Promise<void> {
  checkInside(source.url, size, offset, target.length);
  if (target.length === 0) return;
  const { response, size: now } = await request(source, offset, target.length);
  if (now !== size)
    refuse('gguf_truncated', source.url, `the file had ${size} bytes and now has ${now}; open it again`);
  let done = 0;
  try {
    for await (const chunk of chunksOf(response.body)) {
      if (done + chunk.length > target.length) break;
      target.set(chunk, done);
      done += chunk.length;
    }
  } catch (error) {
    failed(source.url, error);
  }
  if (done !== target.length) failed(source.url, new Error(`the server sent other than ${target.length} bytes`));
}

function checkInside(url: string, size: number, offset: number, length: number): void {
  if (offset + length > size) refuse('gguf_truncated', url, `the file has no ${length} bytes at ${offset}`);
}

/** Asks for `length` bytes at `offset`; the answer is a 206 for exactly that range. */
async function request(source: Source, offset: number, length: number): Promise<{ response: Response; size: number }> {
  const { url, options, validator } = source;
  const last = offset + length - 1;
  const headers = { ...options.headers, range: `bytes=${offset}-${last}`, ...(validator && matchOf(validator)) };
  const signal = AbortSignal.timeout(options.timeoutMs ?? 60_000);
  const response = await (options.fetch ?? fetch)(url, { headers, signal }).catch(error => failed(url, error));
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
  const size = Number(range?.[3]);
  if (response.status === 206 && range && Number(range[1]) === offset && Number(range[2]) === last && size > last) {
    return { response, size };
  }
  await response.body?.cancel();
  return refuseAnswer(source, response);
}

function matchOf(validator: string): Record<string, string> {
  return validator.startsWith('W/') ? {} : { 'if-range': validator };
}

function refuseAnswer({ url, validator }: Source, response: Response): never {
  if (response.status === 416) refuse('gguf_truncated', url, 'the file on the server is shorter than it says');
  if (response.status === 200 && validator)
    refuse('gguf_truncated', url, 'the file on the server changed; open it again');
  if (response.ok) {
    refuse(
      'download_failed',
      url,
      'the server does not honour range requests; download the file and give its path, or in a browser load it with cache: true',
    );
  }
  return refuse('download_failed', url, `the server answered ${response.status}`);
}

function failed(url: string, error: unknown): never {
  if (error instanceof RealmError) throw error;
  return refuse('download_failed', url, `cannot be fetched: ${escapeText(asRealmError(error).message)}`, error);
}

import { chunksOf } from '../../platform/chunks.ts';
import { downloadHttp } from '../http-download.ts';
import { checkPin } from '../pin.ts';
import { bytesOf } from './entry.ts';
import type { OpenEntry } from './open-entry.ts';
import { pageFetch } from './page-fetch.ts';
import { checkRoom } from './room.ts';

export interface FillOptions {
  /** SHA-256 of each file, lower-case hex. */
  readonly sha256?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number | undefined) => void;
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly retryMs?: number | undefined;
}

/** Downloads all files, each from where an earlier visit left it. */
export async function download(open: OpenEntry, urls: readonly string[], options: FillOptions): Promise<void> {
  const { signal, onProgress, onWarning, retryMs, sha256 } = options;
  const bytesBefore = (file: number) => sum(open.entry.files.slice(0, file).map(bytesOf));
  const sizes = urls.length > 1 ? await Promise.all(urls.map(url => sizeOf(url, signal))) : [];
  await checkRoom(sum(sizes) - bytesBefore(urls.length));
  for (const [i, url] of urls.entries()) {
    const before = bytesBefore(i);
    await downloadHttp({
      url,
      part: open.part(i),
      pin: { sha256: sha256?.[i] },
      signal,
      fetch: pageFetch,
      retryMs,
      onProgress: (done, size) => onProgress?.(before + done, size && before + size + sum(sizes.slice(i + 1))),
      onChange: () => onWarning?.(`${url}: the file changed on the server; it is downloaded again from its beginning`),
    });
  }
}

const sum = (sizes: readonly (number | undefined)[]): number =>
  sizes.reduce<number>((total, size) => total + (size ?? 0), 0);

/** What is not known here is found when the file's turn comes. */
async function sizeOf(url: string, signal: AbortSignal | undefined): Promise<number | undefined> {
  const response = await fetch(url, { method: 'HEAD', ...(signal && { signal }) }).catch(() => undefined);
  const length = response?.ok ? response.headers.get('content-length') : null;
  return length ? Number(length) : undefined;
}

/** Copies files that the user picked. */
export async function copy(open: OpenEntry, blobs: readonly Blob[], options: FillOptions): Promise<void> {
  const total = sum(blobs.map(({ size }) => size));
  let done = 0;
  await checkRoom(total);
  for (const [i, blob] of blobs.entries()) {
    const part = open.part(i);
    const writer = await part.open(0, { size: blob.size });
    try {
      for await (const chunk of chunksOf(blob.stream())) {
        options.signal?.throwIfAborted();
        await writer.write(chunk);
        done += chunk.length;
        options.onProgress?.(done, total);
      }
    } finally {
      await writer.close();
    }
    const found = { size: blob.size, sha256: await part.sha256() };
    checkPin(open.entry.names[i] ?? 'the file', found, { sha256: options.sha256?.[i] });
  }
}

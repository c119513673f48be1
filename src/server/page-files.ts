import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { AppContext } from './route.ts';

/** A file of a page, as it is sent. */
export interface PageFile {
  readonly type: string;
  /** Of what is in it, quoted. */
  readonly etag: string;
  readonly plain: () => Uint8Array<ArrayBuffer>;
  readonly gzipped: Uint8Array<ArrayBuffer>;
}

type Files = ReadonlyMap<string, PageFile>;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** What scripts/page.ts and scripts/local.ts build lies beside src in a checkout, and beside dist in the package. */
const built = (name: string): string => fileURLToPath(new URL(`../../build/${name}/`, import.meta.url));

/** The files of the page at `/` by name, read once; none where it has not been built. */
export const pageFiles = once(() => readFolder(built('page')));

/** Those of the page that runs models in the browser. */
export const localFiles = once(() => readFolder(built('local')));

export function sendFile(context: AppContext, file: PageFile, headers: Record<string, string>): Response {
  const packed = /\bgzip\b/.test(context.req.header('accept-encoding') ?? '');
  return context.body(packed ? file.gzipped : file.plain(), 200, {
    vary: 'accept-encoding',
    ...headers,
    ...(packed && { 'content-encoding': 'gzip' }),
    'content-type': file.type,
    'x-content-type-options': 'nosniff',
  });
}

/** What is not there yet may come. */
function once(read: () => Files): () => Files {
  let kept: Files | undefined;
  return () => {
    if (kept) return kept;
    const files = read();
    if (files.size > 0) kept = files;
    return files;
  };
}

/** Some are gzipped already. */
function readFolder(folder: string): Files {
  const files = new Map<string, PageFile>();
  for (const entry of namesIn(folder)) {
    const name = entry.replace(/\.gz$/, '');
    const type = types[extname(name)];
    if (type === undefined) continue;
    const bytes = Uint8Array.from(readFileSync(join(folder, entry)));
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
    const [plain, gzipped] =
      name === entry
        ? [() => bytes, Uint8Array.from(gzipSync(bytes, { level: 9 }))]
        : [() => Uint8Array.from(gunzipSync(bytes)), bytes];
    files.set(name, { type, etag, plain, gzipped });
  }
  return files;
}

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/** A file of the page, as it is sent. */
export interface PageFile {
  readonly type: string;
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly gzipped: Uint8Array<ArrayBuffer>;
}

/** What scripts/page.ts builds lies beside src in a checkout, and beside dist in the package. */
const folder = fileURLToPath(new URL('../../build/page/', import.meta.url));

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

let kept: ReadonlyMap<string, PageFile> | undefined;

/** The page's files by name, read once; none where it has not been built. */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  if (kept) return kept;
  const files = new Map<string, PageFile>();
  for (const name of namesIn(folder)) {
    const type = types[extname(name)];
    if (type === undefined) continue;
    const plain = Uint8Array.from(readFileSync(join(folder, name)));
    files.set(name, { type, plain, gzipped: Uint8Array.from(gzipSync(plain, { level: 9 })) });
  }
  if (files.size > 0) kept = files;
  return files;
}

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

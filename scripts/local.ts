/**
 * Builds what the server has at `/local/` into build/local, unless it is there already: the chat of examples/browser with
 * the library for browsers. Files are kept gzipped, as they are sent. npm start runs this.
 */
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { forBrowsers, libraryFiles } from './bundle.ts';
import { unlessBuilt } from './stamp.ts';

/** Beside src and dist, so that the server finds it from both. */
const target = 'build/local';
const page = ['chat.html', 'chat.js', 'load.js', 'page.css'].map(name => `examples/browser/${name}`);

export function buildLocal(): Promise<void> {
  const sources = [...globSync('src/**/*.ts'), ...page, 'package.json', 'scripts/bundle.ts', 'scripts/local.ts'];
  return unlessBuilt(target, sources, buildNow);
}

async function buildNow(): Promise<void> {
  const { outputFiles } = await build({ ...forBrowsers, entryPoints: libraryFiles, outdir: target, write: false });
  mkdirSync(target, { recursive: true });
  const files = [...outputFiles, ...page.map(path => ({ path, contents: readFileSync(path) }))];
  for (const { path, contents } of files)
    writeFileSync(join(target, `${basename(path)}.gz`), gzipSync(contents, { level: 9 }));
}

if (import.meta.main) await buildLocal();

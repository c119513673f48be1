/**
 * Makes the library's files for browsers: `browser.js`, `browser-worker.js`, with which every thread begins, and
 * `guest-worker.js`, in which a program runs. Beside them `bench.html`, which measures, with its script.
 */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';

/** What a page needs to load a model. */
export const libraryFiles = { browser: 'src/browser.ts', 'browser-worker': 'src/browser-worker.ts' } as const;

export const forBrowsers = {
  bundle: true,
  format: 'esm',
  // package.json's `#platform` is the browser's.
  conditions: ['browser'],
  target: 'es2022',
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: 'warning',
} as const satisfies BuildOptions;

export async function bundle(outdir: string): Promise<void> {
  await build({
    ...forBrowsers,
    entryPoints: {
      ...libraryFiles,
      'guest-worker': 'src/sandbox/guest-worker.ts',
      bench: 'src/library/bench/page.ts',
    },
    outdir,
    allowOverwrite: true,
  });
  await copyFile('src/library/bench/bench.html', join(outdir, 'bench.html'));
}

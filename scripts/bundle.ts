/** Makes two files of the library for browsers: `browser.js`, and `browser-worker.js`, with which every thread begins. */
import { build } from 'esbuild';

export async function bundle(outdir: string): Promise<void> {
  await build({
    entryPoints: ['src/browser.ts', 'src/browser-worker.ts'],
    outdir,
    bundle: true,
    format: 'esm',
    // package.json's `#platform` is the browser's.
    conditions: ['browser'],
    target: 'es2022',
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'warning',
    allowOverwrite: true,
  });
}

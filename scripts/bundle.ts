/** Makes two files of the library for browsers: `browser.js`, and `guest-worker.js`, in which a program runs. */
import { build } from 'esbuild';

export async function bundle(outdir: string): Promise<void> {
  await build({
    entryPoints: { browser: 'src/browser.ts', 'guest-worker': 'src/sandbox/guest-worker.ts' },
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

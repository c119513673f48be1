/** Makes one file of the library for browsers. */
import { build } from 'esbuild';

export async function bundle(outfile: string): Promise<void> {
  await build({
    entryPoints: ['src/browser.ts'],
    outfile,
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

/**
 * Compiles src/ into dist/, with the same folders: what asks for `../../guest/wasm` finds it from there too. What browsers
 * import is `dist/browser.js` and the file of its threads, `dist/browser-worker.js`; beside them is `dist/guest-worker.js`
 * for programs. The pages at `/` and `/local/` go to build/, as in a checkout.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { bundle } from './bundle.ts';
import { buildLocal } from './local.ts';
import { buildPage } from './page.ts';

rmSync('dist', { recursive: true, force: true });
execFileSync(process.execPath, ['node_modules/.bin/tsc', '--project', 'tsconfig.build.json'], { stdio: 'inherit' });
for (const file of globSync('dist/**/*.{js,d.ts}')) renameModules(file);
// Node's half is left: the browser's is in the bundle, but for its types.
for (const file of globSync('dist/platform/browser/*.js')) rmSync(file);
await bundle('dist');
await buildPage();
await buildLocal();
chmodSync('dist/cli/launch.js', 0o755);

/** tsc renames imports; the modules that threads and processes are started from, and those that types come from, are named in strings. */
function renameModules(file: string): void {
  const source = readFileSync(file, 'utf8');
  const platform = relative(dirname(file), 'dist/platform/node/index.js').replaceAll('\\', '/');
  const renamed = source
    .replace(/(['"])(\.{1,2}\/[^'"\n]+)\.ts\1/g, (whole, quote: string, path: string) =>
      existsSync(join(dirname(file), `${path}.js`)) ? `${quote}${path}.js${quote}` : whole,
    )
    .replaceAll(/(['"])#platform\1/g, `'${platform.startsWith('.') ? platform : `./${platform}`}'`);
  if (renamed !== source) writeFileSync(file, renamed);
}

/** Builds the page at `/` from src/page into build/page, unless it is there already; npm start runs this. */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build, type OutputFile } from 'esbuild';
import { unlessBuilt } from './stamp.ts';

const source = 'src/page';
/** Beside src and dist, so that the server finds it from both. */
const target = 'build/page';

export function buildPage(): Promise<void> {
  const files = globSync(`${source}/**/*.{ts,tsx,css,html,svg}`);
  return unlessBuilt(target, [...files, 'scripts/page.ts'], buildNow);
}

/** Names of files carry digests of what is in them, so browsers keep them for ever. */
async function buildNow(): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: [`${source}/main.tsx`, `${source}/styles/main.css`, `${source}/icon.svg`],
    outdir: target,
    entryNames: '[name]-[hash]',
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2022',
    loader: { '.svg': 'copy' },
    assetNames: '[name]-[hash]',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'warning',
  });
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const { path, contents } of outputFiles) writeFileSync(path, contents);
  writeFileSync(join(target, 'index.html'), indexHtml(outputFiles));
}

function indexHtml(files: readonly OutputFile[]): string {
  const named = (extension: string): string => {
    const file = files.find(({ path }) => path.endsWith(extension));
    if (!file) throw new Error(`the page has no ${extension}`);
    return `/page/${basename(file.path)}`;
  };
  return readFileSync(`${source}/index.html`, 'utf8')
    .replace('{script}', named('.js'))
    .replace('{style}', named('.css'))
    .replace('{icon}', named('.svg'));
}

if (import.meta.main) await buildPage();

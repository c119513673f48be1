/** Folders of src/ import only from folders before them, and files do not import each other in circles, not even for types. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, it } from 'node:test';

/** Folders and single files, each before those that may import it: the table of docs/architecture.md. */
const order = [
  'errors.ts',
  'ranges.ts',
  'platform',
  'quant',
  'gguf',
  'tokenizer',
  'constrain',
  'output-format',
  'kernels',
  'backend',
  'model',
  'bench',
  'engine',
  'catalog',
  'breathe.ts',
  'sandbox',
  'pipelines',
  'store',
  'metering',
  'rates',
  'tenancy',
  'programs',
  'telemetry',
  'llm',
  'server',
  'library',
  'index.ts',
  'browser.ts',
  'browser-worker.ts',
  'cli',
  'page',
];

/** These meet the engine's code only in `server`; its types they may name. */
const apart: Record<string, readonly string[]> = { sandbox: ['engine', 'catalog'], tenancy: ['engine', 'sandbox'] };

const folderOf = (file: string): string => file.split('/')[1]!;

const files = globSync('src/**/*.{ts,tsx}')
  .map(file => file.replaceAll('\\', '/'))
  .filter(file => !file.endsWith('.test.ts'));

/** What stands above `catalog` runs in a browser too. */
const anywhere = files.filter(file => order.indexOf(folderOf(file)) < order.indexOf('catalog'));
/** Tests may stand there, and Node's half of the platform. */
const nodesOwn = /^src\/platform\/node\/|^src\/backend\/parity/;

/** Comments and strings may say what they like. */
const codeOf = (file: string): string => readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*|`[^`]*`/g, '');
const nodeOnly =
  /'node:[^']+'|\bprocess\.\w+|\bNodeJS\.\w+|\bBuffer\.\w+|\bsetImmediate\b|'[^']*platform\/(?:node|browser)\/[^']*'|\b__dirname\b/g;

/** Relative imports, static and dynamic. */
const importPattern = /(?:from\s+|import\s+|import\(\s*)'(\.{1,2}\/[^']+)'/g;
const importLine = /^import type /;

interface Import {
  readonly target: string;
  /** Erased before it runs. */
  readonly typeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const source = readFileSync(file, 'utf8');
  return [...source.matchAll(importPattern)].map(match => {
    const start = source.lastIndexOf('\nimport', match.index) + 1;
    return {
      target: posix.join(posix.dirname(file), match[1]!),
      typeOnly: /^(?:import|export) type /.test(source.slice(start, match.index)) || importLine.test(match[0]),
    };
  });
}

describe('imports', () => {
  const graph = new Map(files.map(file => [file, importsOf(file)]));

  it('sees the files', () => {
    assert.ok(files.length > 20);
    assert.ok([...graph.values()].flat().length > 20);
  });

  it('knows every folder', () => {
    assert.deepEqual([...new Set(files.map(folderOf))].filter(folder => !order.includes(folder)).sort(), []);
  });

  it('have the order of the table in docs/architecture.md', () => {
    const rows = readFileSync('docs/architecture.md', 'utf8').match(/^\| `src\/[^|]*/gm) ?? [];
    const listed = rows.flatMap(row => [...row.matchAll(/`src\/([^`/]+)/g)].map(match => match[1]));
    const built = new Set(files.map(folderOf));
    assert.deepEqual(
      listed,
      order.filter(each => built.has(each)),
    );
  });

  it('go only to folders before', () => {
    const wrong = [...graph].flatMap(([file, imports]) =>
      imports
        .filter(
          ({ target }) => target.startsWith('src/') && order.indexOf(folderOf(target)) > order.indexOf(folderOf(file)),
        )
        .map(({ target }) => `${file} -> ${target}`),
    );
    assert.deepEqual(wrong, []);
  });

  it('know nothing of Node above the catalog, but for the platform', () => {
    assert.ok(anywhere.length > 100);
    const wrong = anywhere
      .filter(file => !nodesOwn.test(file))
      .flatMap(file => [...codeOf(file).matchAll(nodeOnly)].map(([what]) => `${file}: ${what}`));
    assert.deepEqual(wrong, []);
  });

  it('keep tenants and programs apart from the engine', () => {
    const wrong = [...graph].flatMap(([file, imports]) =>
      imports
        .filter(({ target, typeOnly }) => !typeOnly && apart[folderOf(file)]?.includes(folderOf(target)))
        .map(({ target }) => `${file} -> ${target}`),
    );
    assert.deepEqual(wrong, []);
  });

  it('have no cycles', () => {
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (path.includes(file) || done.has(file)) return;
      for (const { target } of graph.get(file) ?? []) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    assert.deepEqual(cycles, []);
  });
});

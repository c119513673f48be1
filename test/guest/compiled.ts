/** Programs of guest/programs, compiled once for all tests: they are kept for as long as nothing of guest/ changes. */
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { compileC } from '../../guest/build-c.ts';
import { compileRust, findRust } from '../../guest/build-rust.ts';
import { classicPrograms } from '../../guest/classic.ts';

/** A folder of guest/programs. */
export type Language = 'assembly' | 'rust' | 'c';

const guest = fileURLToPath(new URL('../../guest/', import.meta.url));
const kept = new URL('../../node_modules/.cache/realm-guests/', import.meta.url);
const assemblyScript: string = createRequire(import.meta.url)('assemblyscript/package.json').version;

const compilers: Readonly<Record<Language, (name: string) => Promise<ReadonlyMap<string, Uint8Array>>>> = {
  // The compiler is large: it is read when it is needed.
  assembly: async name => new Map([[name, await (await import('../../guest/build.ts')).compileClassic(name)]]),
  // One library for all of them.
  rust: async () => {
    const rust = await findRust();
    if (!rust) throw new Error('there is no rustc with the target wasm32-unknown-unknown');
    return compileRust(rust, classicPrograms);
  },
  c: async name => new Map([[name, await compileC(name)]]),
};

function digestOf(language: Language): string {
  const hash = createHash('sha256').update(assemblyScript);
  const sources = globSync([`*.ts`, `${language}/**/*.*`, `programs/${language}/*`], { cwd: guest }).sort();
  for (const path of sources) hash.update(`${path}\0`).update(readFileSync(`${guest}${path}`));
  return hash.digest('hex').slice(0, 16);
}

const compiling = new Map<string, Promise<ReadonlyMap<string, Uint8Array>>>();

/** Throws with the compiler's words. */
export async function compiled(language: Language, name: string): Promise<Uint8Array> {
  const folder = new URL(`${digestOf(language)}/`, kept);
  const file = new URL(`${name}.wasm`, folder);
  const bytes = await readFile(file).catch(() => undefined);
  if (bytes) return bytes;
  const job = language === 'rust' ? language : `${language}/${name}`;
  const done = compiling.get(job) ?? compilers[language](name);
  compiling.set(job, done);
  const programs = await done;
  await mkdir(folder, { recursive: true });
  for (const [each, wasm] of programs) await put(new URL(`${each}.wasm`, folder), wasm);
  return programs.get(name)!;
}

/** Whole or not at all: other test files look at the same time. */
async function put(file: URL, bytes: Uint8Array): Promise<void> {
  const part = new URL(`${file.href}.${process.pid}`);
  await writeFile(part, bytes);
  await rename(part, file);
}

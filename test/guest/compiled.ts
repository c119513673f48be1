/** Programs of guest/programs, and of this folder, compiled once for all tests: they are kept while their sources stay. */
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

/** In this folder. */
const own: readonly string[] = ['sdk'];

const extensions: Readonly<Record<Language, string>> = { assembly: 'ts', rust: 'rs', c: 'c' };

/** Seen from guest/. */
const sourceOf = (language: Language, name: string): string =>
  `${own.includes(name) ? '../test/guest/programs' : `programs/${language}`}/${name}.${extensions[language]}`;

const compilers: Readonly<Record<Language, (name: string) => Promise<ReadonlyMap<string, Uint8Array>>>> = {
  // The compiler is large: it is read when it is needed.
  assembly: async name =>
    new Map([[name, await (await import('../../guest/build.ts')).compileV2(sourceOf('assembly', name))]]),
  // One library for all of them.
  rust: async () => {
    const rust = await findRust();
    if (!rust) throw new Error('there is no rustc with the target wasm32-unknown-unknown');
    return compileRust(
      rust,
      [...classicPrograms, ...own].map(name => `${guest}${sourceOf('rust', name)}`),
    );
  },
  c: async name => new Map([[name, await compileC(name)]]),
};

function digestOf(language: Language): string {
  const hash = createHash('sha256').update(assemblyScript);
  const sources = globSync(['*.ts', `${language}/**/*.*`, `programs/${language}/*`, '../test/guest/programs/*'], {
    cwd: guest,
  }).sort();
  for (const path of sources) hash.update(`${path}\0`).update(readFileSync(`${guest}${path}`));
  return hash.digest('hex').slice(0, 16);
}

const compiling = new Map<string, Promise<ReadonlyMap<string, Uint8Array>>>();

/** Throws with the compiler's words. */
export async function compiled(language: Language, name: string): Promise<Uint8Array> {
  const folder = new URL(`${digestOf(language)}/`, kept);
  const bytes = await readFile(new URL(`${name}.wasm`, folder)).catch(() => undefined);
  if (bytes) return bytes;
  const job = language === 'rust' ? language : `${language}/${name}`;
  const programs = compiling.get(job) ?? compilers[language](name).then(all => keep(folder, all));
  compiling.set(job, programs);
  return (await programs).get(name)!;
}

/** Each file is there whole or not at all: other tests look at the same time. */
async function keep(folder: URL, programs: ReadonlyMap<string, Uint8Array>): Promise<ReadonlyMap<string, Uint8Array>> {
  await mkdir(folder, { recursive: true });
  for (const [name, bytes] of programs) {
    const part = new URL(`${name}.wasm.${process.pid}`, folder);
    await writeFile(part, bytes);
    await rename(part, new URL(`${name}.wasm`, folder));
  }
  return programs;
}

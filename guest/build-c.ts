import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

/**
 * Compiles guest/programs/c/NAME.c, with guest/c/realm.h, to guest/programs/wasm/c: `node guest/build-c.ts`. It needs
 * clang and lld (Debian: clang, lld), 14 or later.
 */
export const cPrograms = ['pass-on'] as const;

const run = promisify(execFile);
const clang = process.env.CLANG ?? 'clang';

/** Whether there is a clang that compiles and links for wasm32. */
export async function hasClang(): Promise<boolean> {
  try {
    const { stdout } = await run(clang, ['--print-targets']);
    await run('wasm-ld', ['--version']);
    return stdout.includes('wasm32');
  } catch {
    return false;
  }
}

/** Throws with the compiler's words. */
export async function compileC(name: string): Promise<Uint8Array> {
  const work = await mkdtemp(join(tmpdir(), 'realm-c-'));
  const out = join(work, 'out.wasm');
  const source = fileURLToPath(new URL(`programs/c/${name}.c`, import.meta.url));
  const warnings = ['-std=c11', '-Wall', '-Wextra', '-Werror'];
  const wasm = ['--target=wasm32', '-nostdlib'];
  try {
    const object = join(work, 'program.o');
    await run(clang, [...warnings, ...wasm, '-Os', '-mbulk-memory', '-c', '-o', object, source]);
    // Linked without -O: with it clang calls any wasm-opt that there is, which does not know what -mbulk-memory allows.
    await run(clang, [...wasm, '-Wl,--no-entry', '-Wl,--strip-all', '-o', out, object]);
    return await readFile(out);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (!(await hasClang())) throw new Error('there is no clang with lld for wasm32; set CLANG to one');
  const directory = new URL('./programs/wasm/c/', import.meta.url);
  await mkdir(directory, { recursive: true });
  for (const name of cPrograms) {
    const bytes = await compileC(name);
    await writeFile(new URL(`${name}.wasm`, directory), bytes);
    console.log(`${name}.wasm ${bytes.length} bytes`);
  }
}

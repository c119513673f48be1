import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import asc from 'assemblyscript/asc';
import { classicPrograms } from './classic.ts';

/** Compiles guest/assembly/NAME.ts to guest/wasm/NAME.wasm, and the classic programs to guest/programs/wasm: `node guest/build.ts`. */
export const programs = ['default', 'shout'] as const;

const folder = new URL('./', import.meta.url);

/** The compiled bytes of one program. */
export const compileProgram = (name: string): Promise<Uint8Array> =>
  compile(`assembly/${name}.ts`, 'minimal', '--converge');

/** Those hold many small objects for a while: they need a collector. The path is seen from here. */
export const compileV2 = (path: string): Promise<Uint8Array> => compile(path, 'incremental');

export const compileClassic = (name: string): Promise<Uint8Array> => compileV2(`programs/assembly/${name}.ts`);

async function compile(path: string, runtime: string, ...more: string[]): Promise<Uint8Array> {
  let compiled: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [path, '--outFile', 'out.wasm', '--runtime', runtime, '-O3z', '--noAssert', ...more],
    {
      readFile: path => readFile(new URL(path, folder), 'utf8').catch(() => null),
      writeFile: (_path, contents) => {
        compiled = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error || !compiled) throw new Error(`${path} does not compile: ${stderr.toString()}`);
  return compiled;
}

async function write(directory: string, name: string, bytes: Uint8Array): Promise<void> {
  await mkdir(new URL(directory, folder), { recursive: true });
  await writeFile(new URL(`${directory}/${name}.wasm`, folder), bytes);
  console.log(`${directory}/${name}.wasm ${bytes.length} bytes`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const name of programs) await write('wasm', name, await compileProgram(name));
  for (const name of classicPrograms) await write('programs/wasm', name, await compileClassic(name));
}

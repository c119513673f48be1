import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import asc from 'assemblyscript/asc';

/** Compiles guest/assembly/NAME.ts to guest/wasm/NAME.wasm: `node guest/build.ts`. */
export const programs = ['default', 'shout'] as const;

const folder = new URL('./assembly/', import.meta.url);

/** The compiled bytes of one program. */
export async function compileProgram(name: string): Promise<Uint8Array> {
  let compiled: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [`${name}.ts`, '--outFile', 'out.wasm', '--runtime', 'minimal', '-O3z', '--converge', '--noAssert'],
    {
      readFile: path => readFile(new URL(path, folder), 'utf8').catch(() => null),
      writeFile: (_path, contents) => {
        compiled = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error || !compiled) throw new Error(`${name}.ts does not compile: ${stderr.toString()}`);
  return compiled;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const target = new URL('./wasm/', import.meta.url);
  await mkdir(target, { recursive: true });
  for (const name of programs) {
    const bytes = await compileProgram(name);
    await writeFile(new URL(`${name}.wasm`, target), bytes);
    console.log(`${name}.wasm ${bytes.length} bytes`);
  }
}

/**
 * Compiles guest/programs/rust/NAME.rs, with the SDK in guest/rust, to guest/programs/wasm/rust: `node guest/build-rust.ts`.
 * It needs a rustc with the target wasm32-unknown-unknown (Debian: rustc, libstd-rust-dev-wasm32 and lld), 1.63 or later.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { classicPrograms } from './classic.ts';

const run = promisify(execFile);
const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const target = 'wasm32-unknown-unknown';

interface Compiler {
  readonly command: string;
  readonly minor: number;
}

/** The first rustc that has the target; undefined: none has. */
export async function findRust(): Promise<Compiler | undefined> {
  for (const command of [process.env.RUSTC ?? 'rustc', '/usr/bin/rustc']) {
    try {
      const { stdout: library } = await run(command, ['--print', 'target-libdir', '--target', target]);
      if (!existsSync(library.trim())) continue;
      const { stdout: version } = await run(command, ['--version']);
      return { command, minor: Number(/^rustc 1\.(\d+)/.exec(version)?.[1]) };
    } catch {
      // It is not installed.
    }
  }
  return undefined;
}

const classicSources = classicPrograms.map(name => folder(`programs/rust/${name}.rs`));

/** What these files compile to, by their names; throws with the compiler's words. */
export async function compileRust(
  { command, minor }: Compiler,
  sources: readonly string[] = classicSources,
): Promise<Map<string, Uint8Array>> {
  const work = await mkdtemp(join(tmpdir(), 'realm-rust-'));
  // Programs without the standard library that allocate are stable since 1.68.
  const isOld = minor < 68;
  const env = { ...process.env, ...(isOld && { RUSTC_BOOTSTRAP: '1' }) };
  // Without optimising at link time, which takes five times as long for a sixth of the bytes.
  const common = ['--edition', '2021', '--target', target, '-C', 'opt-level=s', '-C', 'panic=abort', '-D', 'warnings'];
  const library = join(work, 'librealm.rlib');
  try {
    await run(command, [
      ...common,
      '--crate-name',
      'realm',
      '--crate-type',
      'rlib',
      '-o',
      library,
      folder('rust/src/lib.rs'),
    ]);
    const programs = new Map<string, Uint8Array>();
    for (const source of sources) {
      const name = basename(source, '.rs');
      const out = join(work, `${name}.wasm`);
      const crate = [
        '--crate-name',
        name.replaceAll('-', '_'),
        '--crate-type',
        'cdylib',
        '--extern',
        `realm=${library}`,
      ];
      const small = ['-C', 'strip=symbols', ...(isOld ? ['-Zcrate-attr=feature(default_alloc_error_handler)'] : [])];
      await run(command, [...common, ...crate, ...small, '-o', out, source], { env });
      programs.set(name, await readFile(out));
    }
    return programs;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const compiler = await findRust();
  if (!compiler) throw new Error(`there is no rustc with the target ${target}; set RUSTC to one`);
  const directory = new URL('./programs/wasm/rust/', import.meta.url);
  await mkdir(directory, { recursive: true });
  for (const [name, bytes] of await compileRust(compiler)) {
    await writeFile(new URL(`${name}.wasm`, directory), bytes);
    console.log(`${name}.wasm ${bytes.length} bytes`);
  }
}

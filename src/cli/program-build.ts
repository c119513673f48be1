import { spawn } from 'node:child_process';
import { access, copyFile, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { RealmError } from '../errors.ts';
import { formatBytes, print } from './output.ts';
import { readModuleFile } from './program-file.ts';

export function addBuild(program: Command): void {
  program
    .command('build')
    .argument('[folder]', 'with program.ts, Cargo.toml or program.c', '.')
    .description('Compile a program: NAME.wasm in its folder NAME.')
    .addHelpText('after', '\nExample:\n  $ realm program build summary')
    .action(build);
}

/** Compiles what lies in the folder to the file. Throws `usage` where a tool is missing, or what it has said. */
type Builder = (folder: string, output: string) => Promise<void>;

const builders: Readonly<Record<string, Builder>> = {
  'program.ts': buildAssembly,
  'Cargo.toml': buildRust,
  'program.c': buildC,
};

async function build(folder: string): Promise<void> {
  const full = resolve(folder);
  const files = await readdir(full).catch(() => {
    throw new RealmError('usage', `${folder} is no folder.`);
  });
  const source = Object.keys(builders).find(file => files.includes(file));
  if (source === undefined)
    throw new RealmError('usage', `${folder} has no program: one of ${Object.keys(builders).join(', ')} is wanted.`);
  const output = join(full, `${basename(full)}.wasm`);
  await builders[source]!(full, output);
  print(`${output}: ${formatBytes((await readModuleFile(output)).length)}`);
}

/** Its own compiler, or that of a checkout of Realm. */
async function buildAssembly(folder: string, output: string): Promise<void> {
  const compiler = [join(folder, 'program.ts'), import.meta.url].map(ascOf).find(path => path !== undefined);
  if (compiler === undefined)
    throw new RealmError('usage', `AssemblyScript's compiler is missing: \`npm install\` in ${folder} fetches it.`);
  const flags = ['--runtime', 'incremental', '-O3z', '--converge', '--noAssert', '--noColors'];
  await run(process.execPath, [compiler, 'program.ts', '--outFile', output, ...flags], folder);
}

/** That of `from`'s package. */
function ascOf(from: string): string | undefined {
  try {
    return createRequire(from).resolve('assemblyscript/bin/asc.js');
  } catch {
    return undefined;
  }
}

const target = 'wasm32-unknown-unknown';

/** rustc and its cargo. */
interface Rust {
  readonly rustc: string;
  readonly cargo: string;
  /** rustc 1.MINOR */
  readonly minor: number;
}

/** The first one that has the target: rustup's and Debian's may both be there. */
async function findRust(folder: string): Promise<Rust> {
  const places = [process.env.RUSTC, 'rustc', '/usr/bin/rustc'].filter(each => each !== undefined);
  let missing: unknown;
  for (const rustc of places) {
    try {
      await access((await run(rustc, ['--print', 'target-libdir', '--target', target], folder)).trim());
    } catch (error) {
      missing ??= error;
      continue;
    }
    const version = await run(rustc, ['--version'], folder);
    return {
      rustc,
      cargo: rustc.includes('/') ? join(dirname(rustc), 'cargo') : 'cargo',
      minor: Number(/^rustc 1\.(\d+)/.exec(version)?.[1]),
    };
  }
  if (missing instanceof RealmError) throw missing;
  const how = `\`rustup target add ${target}\`, or Debian's package libstd-rust-dev-wasm32`;
  throw new RealmError('usage', `Rust's target ${target} is missing: ${how}.`);
}

/** Programs without the standard library that allocate are stable since 1.68. */
const forOld = { RUSTC_BOOTSTRAP: '1', RUSTFLAGS: '-Zcrate-attr=feature(default_alloc_error_handler)' };

async function buildRust(folder: string, output: string): Promise<void> {
  const { rustc, cargo, minor } = await findRust(folder);
  const env = { RUSTC: rustc, ...(minor < 68 && forOld) };
  await run(cargo, ['build', '--release', '--offline', '--target', target], folder, env);
  const made = join(folder, 'target', target, 'release');
  const modules = (await readdir(made)).filter(file => file.endsWith('.wasm'));
  const [first, second] = modules;
  if (first === undefined || second !== undefined)
    throw new RealmError('usage', `cargo made ${modules.length} modules in ${made}: a crate-type of cdylib makes one.`);
  await copyFile(join(made, first), output);
}

async function buildC(folder: string, output: string): Promise<void> {
  const wasm = ['--target=wasm32', '-nostdlib'];
  const object = `${output}.o`;
  await run('clang', [...wasm, '-Os', '-mbulk-memory', '-c', '-o', object, 'program.c'], folder);
  // Linked without -O: with it clang calls any wasm-opt that there is, which does not know what -mbulk-memory allows.
  await run('clang', [...wasm, '-Wl,--no-entry', '-o', output, object], folder);
  await rm(object);
}

const missing: Readonly<Record<string, string>> = {
  rustc: 'Rust is missing: https://rustup.rs, or the package rustc.',
  cargo: 'cargo is missing: https://rustup.rs, or the package cargo.',
  clang: 'clang is missing: the packages clang and lld have what compiles C.',
};

/** What the tool prints; throws what it complains of. */
function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let [said, complaints] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaints += text;
    });
    child.on('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'ENOENT' ? missing[basename(command)] : cause.message;
      fail(new RealmError('usage', why ?? `${command} is missing.`, { cause }));
    });
    child.on('close', code => {
      if (code === 0) return done(said);
      fail(
        new RealmError(
          'program_invalid',
          `${command === process.execPath ? 'asc' : basename(command)} failed:\n${complaints || said}`,
        ),
      );
    });
  });
}

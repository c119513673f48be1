/** `realm program`: programs are begun, compiled, run, checked, uploaded, listed and rolled back, on a store and by asking a server. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import { listen } from '../../src/server/node.ts';
import { admin, administered } from '../server/administration.ts';
import { realm } from './realm.ts';

const shout = fileURLToPath(new URL('../../guest/wasm/shout.wasm', import.meta.url));

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-cli-program-'));
  await writeFile(join(folder, 'bad.wasm'), 'not a module');
});
after(() => rm(folder, { recursive: true, force: true }));

const run = (args: string[], env: NodeJS.ProcessEnv = {}) => realm(['program', ...args], { cwd: folder, env });

test('check says what a program is, and what it would be refused for', async () => {
  const good = await run(['check', shout]);
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stdout, /^shout\.wasm would be let in\.\n/);
  assert.match(good.stdout, /ABI +version 1\n/);
  assert.match(good.stdout, /cost of compiling +\d+ of 2500000/);
  assert.match(good.stdout, /env\.realm_host_generate/);
  const json = JSON.parse((await run(['check', shout, '--json'])).stdout);
  assert.deepEqual([json.abi, json.refused, json.memory], [1, null, 65536]);
  assert.ok(json.exports.includes('generate') && json.compileCost.total > 0);

  assert.match(good.stdout, /sample run +\d+ fuel, 65\.5 kB of memory, with 1 request and 29 tokens of a stand-in/);
  const { fuel, memory, requests, tokens, error } = json.sample;
  assert.ok(fuel > 1000, `${fuel} fuel`);
  assert.deepEqual([memory, requests, tokens, error], [65536, 1, 29, null]);
  assert.equal(JSON.parse((await run(['check', shout, '--json'])).stdout).sample.fuel, fuel, 'the same each time');

  const bad = await run(['check', 'bad.wasm']);
  assert.equal(bad.code, 1);
  assert.match(bad.stdout, /^refused: program_invalid: Program bad\.wasm cannot be used: it is no WebAssembly module/);
  const none = await run(['check', 'none.wasm']);
  assert.match(none.stderr, /^realm: usage: none\.wasm cannot be read: ENOENT/);
});

/** The same on both. */
async function works(place: string[], env: NodeJS.ProcessEnv = {}): Promise<void> {
  const ask = (...args: string[]) => run([...args, ...place], env);
  const first = await ask('push', shout, '--name', 'loud', '--note', 'for ever');
  assert.deepEqual([first.code, first.stdout], [0, 'loud@1 answers now.\n'], first.stderr);
  assert.equal((await ask('push', shout, '--name', 'loud')).stdout, 'loud@2 answers now.\n');
  assert.match((await ask('list')).stdout, /^NAME +TENANT +VERSION +BYTES.*\nloud +\(all\) +2 +\d+ /);
  assert.equal((await ask('rollback', 'loud', '1')).stdout, 'loud@1 answers now.\n');
  const found = JSON.parse((await ask('list', 'loud', '--json')).stdout);
  assert.deepEqual([found.version, found.note, found.versions.length], [1, 'for ever', 2]);
  assert.match((await ask('list', 'loud')).stdout, /\n\* +1 .*for ever\n +2 /);
  assert.equal((await ask('delete', 'loud', '2')).stdout, 'loud@2 is deleted.\n');
  for (const [args, code] of [
    [['push', 'bad.wasm', '--name', 'loud'], 'program_invalid'],
    [['push', shout, '--name', 'a b'], 'usage'],
    [['push', shout, '--name', 'default'], 'program_exists'],
    [['push', shout, '--name', 'x', '--tenant', 'nobody'], 'tenant_not_found'],
    [['rollback', 'loud', '2'], 'program_not_found'],
    [['delete', 'loud', '1'], 'invalid_request'],
    [['list', 'none'], 'program_not_found'],
  ] as const) {
    const { code: exit, stderr } = await ask(...args);
    assert.equal(exit, 1, args.join(' '));
    assert.match(stderr, new RegExp(`^realm: ${code}: `), args.join(' '));
  }
  assert.equal((await ask('delete', 'loud')).stdout, 'loud is deleted.\n');
  assert.equal((await ask('list', '--json')).stdout, '[]\n');
}

test('programs of a store', () => works(['--store', 'realm.db']));

test('programs of a server', async () => {
  const sandbox = createSandbox();
  const { app, services, close } = await administered({ answer: () => '' }, {}, { sandbox });
  const options = { keepAliveMs: 1000, logger: services.logger, messageBytes: 1000, sockets: services.limits };
  const listener = await listen(app, '127.0.0.1', 0, options);
  try {
    await works(['--url', `http://127.0.0.1:${listener.port}`], { REALM_ADMIN_KEY: admin.key });
  } finally {
    listener.destroy();
    await close();
    await sandbox.close();
  }
});

function smallModel(): string {
  const file = join(folder, 'model.gguf');
  writeSynthetic(file, { with: { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 1 } });
  return './model.gguf';
}

const noClang = !existsSync('/usr/bin/clang') && 'clang is not installed';

const passing = `
#define EXPORT(name) __attribute__((export_name(#name)))
__attribute__((import_module("env"), import_name("realm_host_generate")))
int realm_host_generate(unsigned, unsigned, unsigned, unsigned, unsigned, unsigned);
EXPORT(realm_new) unsigned realm_new(void) { return 0; }
EXPORT(realm_auto_stream) int realm_auto_stream(void) { return 1; }
EXPORT(generate) unsigned generate(unsigned prompt, unsigned length, unsigned model, unsigned options) {
  realm_host_generate(model, prompt, length, options, 0, 0);
  return 0;
}
`;

async function source(name: string, file: string, text: string): Promise<void> {
  await mkdir(join(folder, name));
  await writeFile(join(folder, name, file), text);
}

test('new writes a folder with a program and the SDK, and only where nothing is', async () => {
  const made = await run(['new', 'mine']);
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /cd mine\n +npm install\n.*program build\n.*program run mine\.wasm/);
  assert.deepEqual((await readdir(join(folder, 'mine'))).sort(), [
    'package.json',
    'program.ts',
    'realm',
    'tsconfig.json',
  ]);
  const sdk = await readdir(join(folder, 'mine/realm'));
  assert.ok(sdk.includes('realm.ts') && !sdk.includes('shout.ts'), sdk.join());
  for (const [name, words] of [
    ['mine', /there already, and not empty/],
    ['a b', /name: must be/],
  ] as const) {
    const { code, stderr } = await run(['new', name]);
    assert.equal(code, 1);
    assert.match(stderr, words);
  }
});

const sdks = { assembly: 'assembly/sequences.ts', rust: 'rust/Cargo.toml', c: 'c/realm.h' };
for (const [lang, sdk] of Object.entries(sdks)) {
  const isThere = existsSync(new URL(`../../guest/${sdk}`, import.meta.url));
  test(`build compiles what new has written in ${lang}`, { skip: !isThere && 'there is no SDK yet' }, async t => {
    assert.equal((await run(['new', lang, '--lang', lang])).code, 0);
    const { code, stderr } = await run(['build', lang]);
    if (/^realm: usage: .* missing/.test(stderr)) return t.skip(stderr);
    assert.equal(code, 0, stderr);
    const checked = await run(['check', `${lang}/${lang}.wasm`]);
    assert.match(checked.stdout, /^\w+\.wasm would be let in[\s\S]*ABI +version 2/);
  });
}

/** The sequence is empty, so what it submits is refused; it says why, and gives up. */
const failing = `
import { log, Sequence, submit, Wish } from './realm/sequences';
export { realm_alloc } from './realm/sequences';
export function run(ptr: usize, len: u32): usize {
  log(1, 'on my way');
  submit([Sequence.of(1)], [new Wish(1)]).wait();
  return 0;
}
`;

test('a program that fails is let in, and what it has logged is told by check and run', async () => {
  await run(['new', 'failing']);
  await writeFile(join(folder, 'failing/program.ts'), failing);
  assert.equal((await run(['build', 'failing'])).code, 0);
  const checked = await run(['check', 'failing/failing.wasm']);
  assert.equal(checked.code, 0);
  assert.match(checked.stdout, /ended by program_trapped: .*\. It had logged: the sequence is empty/);
  const ran = await run(['run', 'failing/failing.wasm', '--model', smallModel(), '--prompt', 'Hi']);
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /^info: on my way\nerror: .+\nrealm: \w+: /m);
});

test('build compiles C, and tells what the compiler complains of', { skip: noClang }, async () => {
  await source('c-program', 'program.c', passing);
  const built = await run(['build', 'c-program']);
  assert.equal(built.code, 0, built.stderr);
  assert.match((await run(['check', 'c-program/c-program.wasm'])).stdout, /would be let in/);
  await source('c-wrong', 'program.c', 'int generate(');
  assert.match((await run(['build', 'c-wrong'])).stderr, /^realm: program_invalid: clang failed:\n.*error: /);
});

test('build says what is missing', async () => {
  await source('c-missing', 'program.c', passing);
  await source('rust-missing', 'Cargo.toml', '');
  await source('nothing', 'notes.txt', '');
  await source('wrong', 'program.ts', 'export function run(');
  const words = async (name: string, env?: NodeJS.ProcessEnv) => (await run(['build', name], env)).stderr;
  // What bin/realm itself needs.
  await mkdir(join(folder, 'few'));
  for (const tool of ['dirname', 'readlink', 'env']) await symlink(`/usr/bin/${tool}`, join(folder, 'few', tool));
  const nowhere = { PATH: join(folder, 'few') };
  assert.match(await words('nothing'), /^realm: usage: nothing has no program: one of program\.ts, Cargo\.toml/);
  assert.match(await words('wrong'), /^realm: program_invalid: asc failed:\nERROR TS\d+: /);
  assert.match(await words('not-there'), /^realm: usage: not-there is no folder/);
  assert.match(await words('c-missing', nowhere), /^realm: usage: clang is missing/);
  // Debian's is found where it lies.
  assert.match(
    await words('rust-missing', nowhere),
    /^realm: (usage: (Rust|cargo)\b.*missing|program_invalid: cargo failed)/,
  );
});

test('run runs a program on a request without a server', async () => {
  smallModel();
  await writeFile(join(folder, 'in.json'), '{"prompt": "Hello", "max_tokens": 12, "temperature": 0}');
  const on = (program: string, ...args: string[]) => run(['run', program, '--model', './model.gguf', ...args]);
  const shouted = await on(shout, '--input', 'in.json', '--json');
  assert.equal(shouted.code, 0, shouted.stderr);
  const { text, calls, output_tokens } = JSON.parse(shouted.stdout);
  assert.equal(text, text.toUpperCase());
  assert.deepEqual([calls, output_tokens], [1, 12]);
  const plain = fileURLToPath(new URL('../../guest/wasm/default.wasm', import.meta.url));
  const quiet = await on(plain, '--input', 'in.json');
  assert.equal(quiet.stdout.toUpperCase(), `${text}\n`);
  assert.match(quiet.stderr, /1 call of the model, \d+ tokens in \(0 cached\), 12 out/);
  for (const [args, code] of [
    [['bad.wasm', '--prompt', 'x'], 'program_invalid'],
    [[shout], 'usage'],
    [[shout, '--input', 'bad.wasm'], 'invalid_json'],
    [[shout, '--input', 'none.json'], 'usage'],
  ] as const) {
    const [program, ...rest] = args;
    const refused = await on(program, ...rest);
    assert.equal(refused.code, 1, args.join(' '));
    assert.match(refused.stderr, new RegExp(`^realm: ${code}: `), args.join(' '));
  }
});

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { hashKey } from '../../src/tenancy/keys.ts';
import { startFakeRepos } from '../catalog/fake-repos.ts';
import { llamaBundle } from '../support/llama-bundle.ts';
import { type Result, realm, realmPath } from './realm.ts';

let folder: string;
let vocabulary: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-cli-'));
  vocabulary = join(await llamaBundle(), 'models/ggml-vocab-llama-spm.gguf');
});
after(() => rm(folder, { recursive: true, force: true }));

/** Exit 1, nothing on standard output, and one line (or one list) that begins with the code. */
function assertRefused(result: Result, code: string): void {
  assert.equal(result.code, 1, result.stderr);
  assert.equal(result.stdout, '');
  assert.match(result.stderr, new RegExp(`^realm: ${code}: `));
  assert.equal(result.stderr.match(/realm: /g)?.length, 1);
  assert.doesNotMatch(result.stderr, /^\s+at /m);
}

describe('bin/realm', () => {
  it('works from any folder and through symbolic links', async () => {
    await symlink(realmPath, join(folder, 'first'));
    await symlink('first', join(folder, 'second'));
    const direct = await realm(['--version']);
    const linked = await realm(['--version'], { command: join(folder, 'second'), cwd: folder });
    assert.deepEqual([linked.code, linked.stdout], [0, direct.stdout]);
    assert.match(direct.stdout, /^\d+\.\d+\.\d+\n$/);
  });

  it('names commands as they are to be typed: realm where the shell finds it, as it was called elsewhere', async () => {
    const bin = dirname(realmPath);
    const typed = await realm(['keys', '--help'], { command: 'bin/realm', cwd: dirname(bin) });
    assert.match(typed.stdout, /^Usage: bin\/realm keys /);
    const found = await realm(['models', '--help'], { command: 'realm', env: { PATH: `${bin}:${process.env.PATH}` } });
    assert.match(found.stdout, /^ {2}\$ realm models$/m);
  });

  it('says how to install itself when it is not', async () => {
    const copy = join(folder, 'bare');
    await mkdir(join(copy, 'bin'), { recursive: true });
    await writeFile(join(copy, 'bin/realm'), await readFile(realmPath), { mode: 0o755 });
    assertRefused(await realm(['--version'], { command: join(copy, 'bin/realm') }), 'engine_failed');
  });
});

describe('help', () => {
  it('is what realm alone shows', async () => {
    const { code, stdout } = await realm([]);
    assert.equal(code, 0);
    for (const command of [
      'run',
      'serve',
      'inspect',
      'tokenize',
      'constrain',
      'models',
      'program',
      'tenants',
      'keys',
      'audit',
    ])
      assert.match(stdout, new RegExp(`^  ${command}`, 'm'));
  });

  for (const command of [
    ...['run', 'serve', 'inspect', 'tokenize', 'constrain', 'models', 'models pull', 'models rm', 'tenants', 'keys'],
    ...['list', 'create', 'update', 'disable', 'delete'].map(name => `tenants ${name}`),
    ...['create', 'list', 'rotate', 'revoke'].map(name => `keys ${name}`),
    ...['list', 'verify'].map(name => `audit ${name}`),
    ...['list', 'check', 'run'].map(name => `pipeline ${name}`),
    ...['new', 'build', 'check', 'run', 'push', 'list', 'rollback', 'delete'].map(name => `program ${name}`),
  ]) {
    it(`of ${command} has an example`, async () => {
      const { code, stdout } = await realm([...command.split(' '), '--help']);
      assert.equal(code, 0);
      assert.match(stdout, /Examples?:\n {2}\$ \S*\brealm/);
    });
  }
});

describe('mistakes', () => {
  const cases: [string, string[], string][] = [
    ['an unknown command', ['frobnicate'], 'usage'],
    ['an unknown option', ['models', '--frobnicate'], 'usage'],
    ['an unknown option of a command', ['tokenize', '--frobnicate', 'x.gguf'], 'usage'],
    ['a missing argument', ['inspect'], 'usage'],
    ['too many arguments', ['inspect', 'a.gguf', 'b.gguf'], 'usage'],
    ['a missing subcommand', ['keys'], 'usage'],
    ['a port that is none', ['serve', '--port', '70000'], 'usage'],
    ['a number that is none', ['inspect', 'x.gguf', '--context', '1e3'], 'usage'],
    ['a temperature below 0', ['run', '--temperature', '-1', 'hi'], 'usage'],
    ['fewer layers than none', ['run', '--gpu-layers', '-1', 'hi'], 'usage'],
    ['a schema that is not there', ['run', '--schema', './nowhere.json', 'hi'], 'usage'],
    ['a schema and a grammar', ['run', '--schema', 'a.json', '--grammar', 'b.gbnf', 'hi'], 'usage'],
    ['a tenant that is no name', ['keys', 'create', '--tenant', 'a b'], 'usage'],
    ['a missing file', ['inspect', './nowhere.gguf'], 'model_file_missing'],
    ['an unknown model', ['tokenize', 'nowhere', 'text'], 'model_not_found'],
    ['a folder', ['inspect', tmpdir()], 'model_file_missing'],
    ['an unknown catalog name', ['models', 'pull', 'nowhere'], 'model_not_found'],
    ['a configuration that is not there', ['serve', '--config', './nowhere.yaml'], 'config_invalid'],
  ];
  for (const [what, args, code] of cases) {
    it(`${what}: ${code}`, async () => assertRefused(await realm(args, { cwd: folder, input: '' }), code));
  }

  it('a file that is no GGUF: gguf_invalid, with its name', async () => {
    await writeFile(join(folder, 'no.gguf'), 'this is not a model file at all');
    for (const command of ['inspect', 'tokenize']) {
      const result = await realm([command, 'no.gguf'], { cwd: folder, input: 'x' });
      assertRefused(result, 'gguf_invalid');
      assert.match(result.stderr, /no\.gguf/);
    }
  });

  it('shows where an error came from when REALM_DEBUG is set', async () => {
    const { stderr } = await realm(['inspect', 'nowhere.gguf'], { cwd: folder, env: { REALM_DEBUG: '1' } });
    assert.match(stderr, /^\s+at /m);
  });

  it('never hands control characters of a name to the terminal', async () => {
    const { stderr } = await realm(['inspect', './\x1b[31mred.gguf'], { cwd: folder });
    assert.doesNotMatch(stderr, /\x1b/);
    assert.match(stderr, /\\u\{1b\}\[31mred/);
  });
});

describe('tokenize', () => {
  // What llama-tokenize prints for the same file and text.
  const text = 'Hello <s>World';
  const ids = async (...args: string[]): Promise<number[]> => {
    const { code, stdout, stderr } = await realm(['tokenize', vocabulary, text, '--json', ...args]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };

  it('adds the beginning of text and reads special tokens', async () => {
    assert.deepEqual(await ids(), [1, 15043, 29871, 1, 2787]);
  });

  it('leaves them out when told', async () => {
    assert.deepEqual(await ids('--no-bos'), [15043, 29871, 1, 2787]);
    assert.equal((await ids('--no-parse-special')).slice(1).includes(1), false);
  });

  it('reads standard input byte for byte', async () => {
    const argument = await realm(['tokenize', vocabulary, 'a\n b\n', '--json']);
    const input = await realm(['tokenize', vocabulary, '--json'], { input: 'a\n b\n' });
    assert.equal(input.stdout, argument.stdout);
  });

  it('shows each piece for people', async () => {
    const { stdout } = await realm(['tokenize', vocabulary, 'Hi\nyou']);
    assert.match(stdout, /^ {5}1 -> '<s>'\n/);
    assert.match(stdout, /-> '\\n'/);
  });
});

describe('constrain', () => {
  const lines = (...values: unknown[]): string => values.map(value => `${JSON.stringify(value)}\n`).join('');
  const schema = { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'string' } }, required: ['a'] };
  const tests = [
    { data: { a: 1, b: 'é"' }, valid: true },
    { data: { b: 'x' }, valid: false },
  ];

  it('says what a schema accepts and what it costs, or why it is refused', async () => {
    const input = `${lines({ schema, tests }, { schema: { properties: { x: { uniqueItems: true } } } }, { schema: false })}\n`;
    const { code, stdout, stderr } = await realm(['constrain', vocabulary, '--json'], { input });
    assert.equal(code, 0, stderr);
    const [accepts, refused, nothing] = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    assert.deepEqual(accepts.tests, [{ accepted: true }, { accepted: false }]);
    assert.ok(accepts.ok && accepts.compile_us > 0 && accepts.mask_us.max >= accepts.mask_us.p99);
    const { ok, code: reason, keyword, path } = refused;
    assert.deepEqual(
      { ok, reason, keyword, path },
      { ok: false, reason: 'schema_unsupported', keyword: 'uniqueItems', path: '/properties/x' },
    );
    assert.deepEqual([nothing.ok, nothing.code, nothing.keyword], [false, 'grammar_invalid', null]);
  });

  it('takes numbers as they are written', async () => {
    const input = '{"schema": {"type": "integer"}, "tests": [{"data": 1}, {"data": 1.0}, {"data": 100000000000000}]}\n';
    const { stdout } = await realm(['constrain', vocabulary, '--json'], { input });
    assert.deepEqual(JSON.parse(stdout).tests, [{ accepted: true }, { accepted: false }, { accepted: true }]);
  });

  it('shows people what is not as expected', async () => {
    const input = lines({ schema, tests: [...tests, { data: { a: 'x' }, valid: true }] }, { schema: { format: 'x' } });
    const { stdout } = await realm(['constrain', vocabulary], { input });
    assert.match(
      stdout,
      /^line 1: 1 of 3 accepted; not as expected: test 3 rejected; compiled in [\d.]+ ms; masks p50/,
    );
    assert.match(stdout, /\nline 2: refused: schema_unsupported: /);
  });

  it('names the line that it cannot read', async () => {
    for (const [input, code] of [
      ['{"schema": {}}\nnot json\n', 'invalid_json'],
      ['{"schema": {}}\n{"tests": []}\n', 'invalid_request'],
    ] as const) {
      const result = await realm(['constrain', vocabulary, '--json'], { input });
      assert.equal(result.code, 1);
      assert.match(result.stderr, new RegExp(`^realm: ${code}: line 2`));
    }
  });
});

describe('inspect', () => {
  it('shows a vocabulary-only file', async () => {
    const { code, stdout } = await realm(['inspect', vocabulary]);
    assert.equal(code, 0);
    assert.match(stdout, /tokenizer\.ggml\.tokens +\[32000\] "<unk>"/);
    assert.match(stdout, /no weights/);
  });

  it('is JSON for programs', async () => {
    const { stdout } = await realm(['inspect', vocabulary, '--json']);
    const value = JSON.parse(stdout);
    assert.equal(value.version, 3);
    assert.equal(value.metadata['general.architecture'], 'llama');
    assert.equal(value.metadata['tokenizer.ggml.tokens'].length, 32000);
  });

  it('ends quietly when its reader goes away', async () => {
    const child = spawn(realmPath, ['tokenize', vocabulary]);
    child.stdin.on('error', () => {});
    child.stdin.end('word '.repeat(100_000)); // Far more lines than a pipe holds.
    child.stdout.once('data', () => child.stdout.destroy());
    let stderr = '';
    child.stderr.on('data', chunk => {
      stderr += chunk;
    });
    const code = await new Promise(resolve => child.on('close', resolve));
    assert.deepEqual([code, stderr], [0, '']);
  });
});

describe('models', () => {
  it('lists the catalog', async () => {
    const { stdout } = await realm(['models', '--json'], { env: { REALM_HOME: folder } });
    const list = JSON.parse(stdout);
    assert.equal(list[0].name, 'smollm2-135m');
    assert.equal(list.find((entry: { name: string }) => entry.name === 'qwen3-4b').runs, true);
    assert.match((await realm(['models', 'list'])).stdout, /smollm2-135m/);
  });

  it('lists what else is here, and says what is known of a model', async () => {
    const home = join(folder, 'listing');
    const models = join(folder, 'gguf');
    await mkdir(models, { recursive: true });
    await writeFile(join(models, 'own.gguf'), 'GGUF');
    const env = { REALM_HOME: home, OLLAMA_MODELS: join(folder, 'no-ollama') };
    assert.equal((await realm(['models', 'add', models], { env })).stdout, 'own\n');
    const list = JSON.parse((await realm(['models', '--json'], { env })).stdout);
    const own = list.find(({ name }: { name: string }) => name === 'own');
    assert.deepEqual([own.source, own.size], ['folder', 4]);
    assert.match((await realm(['models', 'info', 'smollm2-135m'], { env })).stdout, /SHA-256 +b179c952/);
    assert.match((await realm(['models', 'info', 'qwen3-4b'], { env })).stdout, /SHA-256 +not known here/);
    assert.match((await realm(['models', 'rm', models], { env })).stdout, /its files stay/);
  });

  it('pulls from a hub by the name of a repository, and searches it', async () => {
    const hub = await startFakeRepos({ 'org/tiny-GGUF': { files: { 't-Q4_K_M.gguf': Buffer.from('GGUF') } } });
    const home = join(folder, 'hub-home');
    const env = { REALM_HOME: home, OLLAMA_MODELS: join(folder, 'no-ollama'), HF_ENDPOINT: hub.url };
    try {
      const pulled = await realm(['models', 'pull', 'org/tiny-GGUF', '--json'], { env });
      const { path } = JSON.parse(pulled.stdout);
      assert.equal(path, join(home, 'models/hub/org/tiny-GGUF/t-Q4_K_M.gguf'));
      assert.match((await realm(['models', 'list'], { env })).stdout, /hf:org\/tiny-GGUF:Q4_K_M +hub +4 bytes/);
      assert.match((await realm(['models', 'search', 'tiny'], { env })).stdout, /hf:org\/tiny-GGUF/);
      assert.match((await realm(['models', 'info', 'org/tiny-GGUF'], { env })).stdout, /Q4_K_M +4 bytes/);
      assertRefused(await realm(['models', 'pull', 'org/tiny-GGUF:Q8_0'], { env }), 'quantization_not_found');
      assert.equal((await realm(['models', 'rm', 'org/tiny-GGUF'], { env })).stdout, `removed ${path}\n`);
    } finally {
      await hub.close();
    }
  });

  it('removes only what was downloaded', async () => {
    const home = join(folder, 'home');
    const file = join(home, 'models/SmolLM2-135M-Instruct.Q4_1.gguf');
    await mkdir(join(home, 'models'), { recursive: true });
    await writeFile(file, 'unfinished');
    await writeFile(`${file}.0123.part`, 'unfinished');
    const { stdout } = await realm(['models', 'rm', 'smollm2-135m', '--json'], { env: { REALM_HOME: home } });
    assert.deepEqual(JSON.parse(stdout).removed.sort(), [file, `${file}.0123.part`]);
    const again = await realm(['models', 'rm', 'smollm2-135m'], { env: { REALM_HOME: home } });
    assert.match(again.stdout, /has not been downloaded/);
  });
});

describe('keys create', () => {
  it('makes another key each time, and the hash that belongs to it', async () => {
    const make = async () => JSON.parse((await realm(['keys', 'create', '--tenant', 'acme', '--json'])).stdout);
    const [one, two] = [await make(), await make()];
    assert.notEqual(one.key, two.key);
    assert.equal(hashKey(one.key), one.hash);
  });

  it('prints lines for realm.yaml', async () => {
    const { stdout } = await realm(['keys', 'create', '--tenant', 'acme']);
    assert.match(stdout, /realm_[0-9a-f]{72}/);
    assert.match(stdout, /- id: acme\n {4}keys:\n {6}- sha256:[0-9a-f]{64} #/);
  });
});

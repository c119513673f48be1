import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { everywhere } from './choice.ts';
import { type Machine, RememberedChoices, thisMachine } from './remembered.ts';

const machine: Machine = { cpu: 'A', flags: 'avx2', platform: 'linux x64', node: '26.1.0', v8: '14.6', realm: '0.1.0' };
const mixed = { one: 'dotadd-revec', few: 'relaxed-revec', many: 'dotadd-revec' };

describe('remembered choices', () => {
  let folder: string;
  let file: string;
  const memory = (on: Partial<Machine> = {}) =>
    new RememberedChoices(
      () => file,
      async () => ({ ...machine, ...on }),
    );

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realm-choices-'));
    file = join(folder, 'home', 'kernels.json');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('come back, each for its part', async () => {
    assert.equal(await memory().recall('Q4_K'), undefined);
    assert.equal(await memory().remember('Q4_K', mixed), undefined);
    await memory().remember('Q8_0', everywhere('Q8_0', 'relaxed-revec'));
    assert.deepEqual(await memory().recall('Q4_K'), mixed);
    assert.deepEqual(await memory().recall('Q8_0'), everywhere('Q8_0', 'relaxed-revec'));
    assert.equal(await memory().recall('Q6_K'), undefined);
  });

  for (const other of [{ cpu: 'B' }, { flags: 'avx2 avx512' }, { node: '26.2.0' }, { v8: '14.7' }, { realm: '0.2.0' }])
    it(`are nothing to another ${Object.keys(other)}, which writes its own`, async () => {
      await memory().remember('Q4_K', mixed);
      assert.equal(await memory(other).recall('Q4_K'), undefined);
      await memory(other).remember('Q6_K', mixed);
      assert.deepEqual(await memory(other).recall('Q6_K'), mixed);
      assert.equal(await memory(other).recall('Q4_K'), undefined);
    });

  it('are nothing to other kernels', async () => {
    await memory().remember('Q4_K', mixed);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/"kernels": "\w+"/, '"kernels": "0123"'));
    assert.equal(await memory().recall('Q4_K'), undefined);
  });

  for (const text of ['', '{', 'null', '7', '[]', '{"machine":null}', '\0'.repeat(100)])
    it(`are measured anew after ${JSON.stringify(text.slice(0, 20))}`, async () => {
      await memory().remember('Q4_K', mixed);
      await writeFile(file, text);
      assert.equal(await memory().recall('Q4_K'), undefined);
      await memory().remember('Q4_K', mixed);
      assert.deepEqual(await memory().recall('Q4_K'), mixed);
    });

  for (const variants of [null, 3, {}, { one: 'relaxed-revec' }, { ...mixed, few: 'unknown' }, { ...mixed, few: {} }])
    it(`are not ${JSON.stringify(variants)}`, async () => {
      await memory().remember('Q4_K', mixed);
      const contents = JSON.parse(await readFile(file, 'utf8'));
      for (const entry of [{ ...contents.choices.Q4_K, variants }, variants]) {
        await writeFile(file, JSON.stringify({ ...contents, choices: { Q4_K: entry } }));
        assert.equal(await memory().recall('Q4_K'), undefined);
      }
    });

  it('are lost quietly where nothing can be written', async () => {
    await mkdir(join(folder, 'home'));
    await mkdir(file); // Whoever runs the tests may be root, whom no mode stops.
    assert.equal(await memory().recall('Q4_K'), undefined);
    assert.ok((await memory().remember('Q4_K', mixed)) instanceof Error);
    assert.deepEqual(await readdir(join(folder, 'home')), ['kernels.json']);
    await chmod(join(folder, 'home'), 0o500);
    assert.ok((await memory().remember('Q4_K', mixed)) instanceof Error);
    await chmod(join(folder, 'home'), 0o700);
  });

  it('are lost quietly where there is no home', async () => {
    const homeless = new RememberedChoices(
      () => {
        throw new Error('no home');
      },
      async () => machine,
    );
    assert.equal(await homeless.recall('Q4_K'), undefined);
    assert.match((await homeless.remember('Q4_K', mixed))?.message ?? '', /no home/);
  });

  it('are whole at every moment, whoever writes', async () => {
    await memory().remember('Q4_K', mixed);
    const writers = Array.from({ length: 20 }, () => memory().remember('Q4_K', mixed));
    const readers = Array.from({ length: 20 }, () => memory().recall('Q4_K'));
    assert.deepEqual(new Set(await Promise.all(writers)), new Set([undefined]));
    for (const known of await Promise.all(readers)) assert.deepEqual(known, mixed);
    assert.deepEqual(await readdir(join(folder, 'home')), ['kernels.json']);
  });

  it('belong to a processor, its flags and versions', async () => {
    const here = await thisMachine();
    assert.equal(here.node, process.versions.node);
    assert.match(here.realm, /^\d+\.\d+\.\d+/);
    assert.ok(here.cpu.length > 0);
  });
});

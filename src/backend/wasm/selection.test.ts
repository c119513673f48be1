import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { everywhere, variantsIn } from './choice.ts';
import { createBench } from './create.ts';
import { RememberedChoices } from './remembered.ts';
import { type Bench, chooseAnew, select } from './selection.ts';

const part = 'Q4_0';

describe('the selection of kernels', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realm-selection-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** A memory, and benches that are counted: one is for the checks, a second one measures. */
  function scene(name: string) {
    const file = join(folder, name);
    const memory = new RememberedChoices(() => file);
    let benches = 0;
    const create = (threads: number): Promise<Bench> => {
      benches++;
      return createBench(threads);
    };
    const start = async () => {
      benches = 0;
      const { choice } = await chooseAnew(part, create, memory);
      return { choice, measured: benches > 1 };
    };
    return { file, memory, create, start };
  }

  it('is the same at the next start, which measures nothing', async () => {
    const { start } = scene('twice');
    const first = await start();
    assert.equal(first.measured, true);
    assert.deepEqual(await start(), { choice: first.choice, measured: false });
  });

  it('takes what is remembered, size by size', async () => {
    const { memory, start } = scene('mixed');
    const choice = { one: 'dotadd-revec', few: 'relaxed-revec', many: 'dotadd-revec' };
    await memory.remember(part, choice);
    assert.deepEqual(await start(), { choice, measured: false });
  });

  it('measures anew when it cannot read what was remembered, or is told to', async () => {
    const { file, memory, create, start } = scene('broken');
    await writeFile(file, '{"machine"');
    assert.equal((await start()).measured, true);
    const verdicts = ['relaxed-revec', 'dotadd-revec'].map(variant => ({ part, variant, agrees: true }) as const);
    assert.equal((await select(part, verdicts, create, memory)).source, 'remembered');
    const fresh = await select(part, verdicts, create, memory, true);
    assert.equal(fresh.source, 'measured');
    assert.ok(fresh.verdicts.every(({ microseconds }) => microseconds?.one && microseconds.few && microseconds.many));
  });

  it('does not trust what is remembered: a variant that computes other bits is not used', async () => {
    const { memory, create } = scene('wrong');
    await memory.remember(part, everywhere(part, 'dotadd-revec'));
    const corrupting = async (threads: number): Promise<Bench> => {
      const bench = await create(threads);
      const [install, download] = [bench.install.bind(bench), bench.download.bind(bench)];
      let wrong = false;
      bench.install = (which, kernels) => {
        wrong = variantsIn(kernels.choice).includes('dotadd-revec');
        install(which, kernels);
      };
      bench.download = async (buffer, rows, into) => {
        await download(buffer, rows, into);
        if (wrong) into.fill(1);
      };
      return bench;
    };
    const { choice } = await chooseAnew(part, corrupting, memory);
    assert.deepEqual(choice, everywhere(part, 'relaxed-revec'));
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createWasmBackend } from '../../src/backend/wasm/create.ts';
import { variants } from '../../src/kernels/module.ts';
import { bitsOf, openRecorded, positions, prompts, readRecord, recordedModels } from '../support/recorded-bits.ts';
import { openEncoder, recordedEncoders, textBits } from '../support/recorded-encoders.ts';

/**
 * The logits, and the states of encoders, are bit for bit what they were when they were recorded, on every machine: no kernel variant, number of threads or
 * cut of a prompt changes them. What differs here changes every session file and seeded answer: see scripts/record-bits.ts.
 */
const record = readRecord();

describe('recorded bits', () => {
  for (const recorded of recordedModels) {
    test(recorded.title, async () => {
      const model = await openRecorded(recorded, await createWasmBackend());
      for (const [title, ends] of Object.entries(prompts)) {
        const wanted = record[recorded.title]?.filter((_, i) => positions[i]! < ends.at(-1)!);
        assert.deepEqual(await bitsOf(model, ends), wanted, title);
      }
      await model.close();
    });
  }

  for (const recorded of recordedEncoders) {
    test(recorded.title, async () => {
      const model = await openEncoder(recorded, await createWasmBackend());
      assert.deepEqual(await textBits(model, { together: false }), record[recorded.title], 'each text alone');
      assert.deepEqual(await textBits(model, { together: true }), record[recorded.title], 'all texts at once');
      await model.close();
    });
  }

  for (const { name } of variants) {
    test(`an encoder, ${name}, 3 threads`, async () => {
      const recorded = recordedEncoders.find(({ title }) => title === 'bert Q4_K_M')!;
      const model = await openEncoder(recorded, await createWasmBackend({ variant: name, threads: 3 }));
      assert.deepEqual(await textBits(model, { together: true }), record[recorded.title]);
      await model.close();
    });

    test(`${name}, 3 threads`, async () => {
      const recorded = recordedModels.find(({ title }) => title === 'mixtral Q4_K_M, Q8_0 cache')!;
      const model = await openRecorded(recorded, await createWasmBackend({ variant: name, threads: 3 }));
      assert.deepEqual(await bitsOf(model, prompts['300 tokens in pieces']), record[recorded.title]);
      await model.close();
    });
  }

  test('every model on record is computed', () => {
    const computed = [...recordedModels, ...recordedEncoders].map(({ title }) => title);
    assert.deepEqual(Object.keys(record).sort(), computed.sort());
  });
});

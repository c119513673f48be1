/**
 * Writes test/fixtures/bits.json: hashes of the logits that the CPU backend gives for a fixed set of models and prompts.
 *
 * Run it after a model, a format or a prompt was added to test/support/recorded-bits.ts: what is on record already stays, and a
 * run that gives other bits for it fails. Only where docs/numerics.md itself changes, on purpose and with a word in the
 * changelog (every session file and every seeded answer changes with it), may one delete the file and record all of it anew.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { createWasmBackend } from '../src/backend/wasm/create.ts';
import {
  type Bits,
  bitsOf,
  openRecorded,
  prompts,
  readRecord,
  recordedModels,
  recordFile,
} from '../test/support/recorded-bits.ts';

const before = existsSync(recordFile) ? readRecord() : {};
const record: Record<string, Bits> = {};
for (const recorded of recordedModels) {
  const model = await openRecorded(recorded, await createWasmBackend());
  const bits = await bitsOf(model, prompts['300 tokens']);
  await model.close();
  const known = before[recorded.title];
  if (known && !isDeepStrictEqual(known, bits)) throw new Error(`${recorded.title}: not the bits on record`);
  record[recorded.title] = bits;
  console.log(`${recorded.title}: ${known ? 'as recorded' : 'new'}`);
}
writeFileSync(recordFile, `${JSON.stringify(record, null, 2)}\n`);

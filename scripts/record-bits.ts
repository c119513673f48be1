/**
 * Writes test/fixtures/bits.json: hashes of the logits, or an encoder's states, that the CPU backend gives for a fixed set of models
 * and texts.
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
import { openEncoder, recordedEncoders, textBits } from '../test/support/recorded-encoders.ts';

const before = existsSync(recordFile) ? readRecord() : {};
const record: Record<string, Bits> = {};

function put(title: string, bits: Bits): void {
  const known = before[title];
  if (known && !isDeepStrictEqual(known, bits)) throw new Error(`${title}: not the bits on record`);
  record[title] = bits;
  console.log(`${title}: ${known ? 'as recorded' : 'new'}`);
}

for (const recorded of recordedModels) {
  const model = await openRecorded(recorded, await createWasmBackend());
  put(recorded.title, await bitsOf(model, prompts['300 tokens']));
  await model.close();
}
for (const recorded of recordedEncoders) {
  const model = await openEncoder(recorded, await createWasmBackend());
  put(recorded.title, await textBits(model, { together: true }));
  await model.close();
}
writeFileSync(recordFile, `${JSON.stringify(record, null, 2)}\n`);

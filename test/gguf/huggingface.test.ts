/** Our parser and @huggingface/gguf see the same in every valid file at hand: the real model, llama.cpp's vocabularies, synthetic models. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { gguf } from '@huggingface/gguf';
import { recipes } from '../../scripts/synthetic/architectures.ts';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { formats } from '../../src/quant/formats.ts';
import { llamaBundle } from '../support/llama-bundle.ts';

const temporary = mkdtempSync(join(tmpdir(), 'realm-gguf-'));
after(() => rmSync(temporary, { recursive: true }));

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter(name => name.endsWith('.gguf'))
    .map(name => join(folder, name));
}

function synthetic(): string[] {
  return Object.keys(recipes).map(name => {
    const path = join(temporary, `${name}.gguf`);
    writeSynthetic(path, { architecture: name as keyof typeof recipes, quant: 'Q4_K_M' });
    return path;
  });
}

/** Values in one form: theirs are plain arrays and bigints for all 64-bit integers, and lose a byte-order mark that begins a string. */
function plain(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/^\ufeff+/, '');
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>, plain);
  return Array.isArray(value) ? value.map(plain) : value;
}

/** deepEqual, but quick about arrays of 500,000 strings: it looks for the first difference itself. */
function assertSame(ours: unknown, theirs: unknown, key: string): void {
  if (!Array.isArray(ours) || !Array.isArray(theirs)) return assert.deepEqual(ours, theirs, key);
  assert.equal(ours.length, theirs.length, key);
  const at = ours.findIndex((item, i) => !isDeepStrictEqual(item, theirs[i]));
  assert.deepEqual(ours[at], theirs[at], `${key}[${at}]`);
}

async function compare(path: string): Promise<void> {
  const theirs = await gguf(path, { allowLocalFile: true });
  const ours = await openGguf(path);
  const { version, tensor_count, kv_count, ...metadata } = theirs.metadata as Record<string, unknown>;
  assert.equal(ours.version, version);
  assert.equal(ours.tensors.size, Number(tensor_count));
  assert.equal(ours.metadata.size, Number(kv_count));
  assert.deepEqual([...ours.metadata.keys()].sort(), Object.keys(metadata).sort());
  for (const [key, value] of ours.metadata) assertSame(plain(value), plain(metadata[key]), key);
  const tensors = theirs.tensorInfos.map(({ name, shape, dtype, offset }) => ({
    name,
    shape: shape.map(Number),
    id: dtype as number,
    offset: Number(offset + theirs.tensorDataOffset),
  }));
  assert.deepEqual(
    [...ours.tensors.values()].map(({ name, shape, type, offset }) => ({ name, shape, id: formats[type].id, offset })),
    tensors,
  );
  await ours.close();
}

const models = process.env.REALM_TEST_MODELS ?? fileURLToPath(new URL('../../../shared/models', import.meta.url));
const vocabularies = filesIn(join(await llamaBundle(), 'models'));

test("llama.cpp's vocabularies are there", () => assert.ok(vocabularies.length >= 16));
for (const path of [...filesIn(models), ...vocabularies, ...synthetic()]) {
  test(path.split(/[/\\]/).at(-1)!, () => compare(path));
}

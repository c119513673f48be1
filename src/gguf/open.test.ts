import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { encodeGguf, type MetaValue } from '../../scripts/synthetic/gguf-writer.ts';
import { memoryReader } from './memory-reader.ts';
import { nameOfSource, openGguf } from './open.ts';
import { readerOf } from './reader-of.ts';
import { namesOfParts } from './splits.ts';
import type { Reader } from './types.ts';

const folder = mkdtempSync(join(tmpdir(), 'realm-open-'));
after(() => rmSync(folder, { recursive: true }));

interface Lies {
  count?: number;
  number?: number;
  tensors?: number;
  names?: string[];
}

/** Part `part` of a split model with one tensor in each; `lies` replace what it says. */
function part(part: number, count: number, lies: Lies = {}): Uint8Array<ArrayBuffer> {
  const metadata = new Map<string, MetaValue>([
    ['split.no', { type: 'u16', value: lies.number ?? part }],
    ['split.count', { type: 'u16', value: lies.count ?? count }],
    ['split.tensors.count', { type: 'i32', value: lies.tensors ?? count }],
  ]);
  const names = lies.names ?? [`blk.${part}.weight`];
  const bytes = () => [new Uint8Array(16).fill(part)];
  return encodeGguf({ metadata, tensors: names.map(name => ({ name, shape: [4], type: 'F32', bytes })) });
}

/** Readers that remember whether they were closed. */
function readersOf(parts: Uint8Array[]): { readers: Reader[]; closed: () => number } {
  let closed = 0;
  const readers = parts.map((bytes, i) => {
    const close = async () => {
      closed++;
    };
    return { ...memoryReader(bytes, `part ${i}`), close };
  });
  return { readers, closed: () => closed };
}

async function refused(parts: Uint8Array[], message: RegExp, code = 'gguf_invalid'): Promise<void> {
  const { readers, closed } = readersOf(parts);
  await assert.rejects(openGguf(readers), { code, message });
  assert.equal(closed(), parts.length, 'all readers are closed');
}

describe('split models', () => {
  test("are opened as one, by the first part's path", async () => {
    for (let i = 0; i < 3; i++) writeFileSync(join(folder, `m-0000${i + 1}-of-00003.gguf`), part(i, 3));
    const file = await openGguf(join(folder, 'm-00001-of-00003.gguf'));
    assert.deepEqual([...file.tensors.keys()], ['blk.0.weight', 'blk.1.weight', 'blk.2.weight']);
    assert.equal(file.size, 3 * part(0, 3).length);
    for (const tensor of file.tensors.values()) {
      const bytes = await readerOf(file, tensor.file).read(tensor.offset, tensor.bytes);
      assert.ok(bytes.every(byte => byte === tensor.file));
    }
    await file.close();
  });

  test('are opened from readers', async () => {
    const { readers, closed } = readersOf([part(0, 2), part(1, 2)]);
    const file = await openGguf(readers);
    assert.equal(file.tensors.size, 2);
    await file.close();
    assert.equal(closed(), 2);
  });

  test('are opened as a picker gives them, in any order, and as bytes in theirs', async () => {
    const fileOf = (i: number) => new File([part(i, 3)], `m-0000${i + 1}-of-00003.gguf`);
    const picked = [fileOf(2), fileOf(0), fileOf(1)];
    const bytes = [part(0, 3), part(1, 3), part(2, 3)];
    for (const source of [picked, bytes]) {
      const file = await openGguf(source);
      const tensor = file.tensors.get('blk.2.weight');
      assert.deepEqual(
        await readerOf(file, tensor?.file ?? -1).read(tensor?.offset ?? 0, 16),
        new Uint8Array(16).fill(2),
      );
    }
    assert.equal(nameOfSource(picked), 'm-00001-of-00003.gguf');
    assert.equal(nameOfSource(bytes), 'model');
  });

  test('have names that follow from the first', () => {
    assert.deepEqual(namesOfParts('https://a/m-00001-of-00002.gguf'), [
      'https://a/m-00001-of-00002.gguf',
      'https://a/m-00002-of-00002.gguf',
    ]);
    for (const name of ['m.gguf', 'm-00002-of-00002.gguf', 'm-00001-of-00001.gguf', 'm-00001-of-99999.gguf'])
      assert.deepEqual(namesOfParts(name), [name]);
  });

  test('with a part missing are refused', async () => {
    writeFileSync(join(folder, 'n-00001-of-00002.gguf'), part(0, 2));
    const missing = { code: 'model_file_missing', message: /n-00002-of-00002\.gguf: there is no such file/ };
    await assert.rejects(openGguf(join(folder, 'n-00001-of-00002.gguf')), missing);
    await refused([part(0, 2)], /has 2 parts; 1 are given/);
  });

  test('are opened by their first part and its own name only', async () => {
    await assert.rejects(openGguf(join(folder, 'm-00002-of-00003.gguf')), {
      message: /is part 2 of 3; open the first/,
    });
    writeFileSync(join(folder, 'renamed.gguf'), part(0, 3));
    await assert.rejects(openGguf(join(folder, 'renamed.gguf')), { message: /must end in -00001-of-00003\.gguf/ });
  });

  test('whose counts lie are refused', async () => {
    await refused([part(0, 2), part(1, 2, { count: 3 })], /part 2 of 3, and is opened as part 2 of 2/);
    await refused([part(0, 2), part(1, 2, { number: 0 })], /says it is part 1 of 2/);
    await refused([part(0, 2, { tensors: 5 }), part(1, 2)], /announces 5 tensors in all parts; they hold 2/);
    await refused([part(0, 2, { count: 60_000 }), part(1, 2)], /"split\.count" is 60000/, 'model_invalid');
    await refused(
      [part(0, 2), encodeGguf({ metadata: new Map(), tensors: [] })],
      /"split.no" is missing/,
      'model_invalid',
    );
    await refused([part(0, 2), part(1, 2, { names: ['blk.0.weight'] })], /"blk\.0\.weight" is in another part too/);
    await refused([part(0, 1), part(1, 2)], /has 1 parts; 2 are given/);
  });
});

test('a single file is opened and closed', async () => {
  const { readers, closed } = readersOf([encodeGguf({ metadata: new Map(), tensors: [] })]);
  const file = await openGguf(readers);
  assert.equal(file.version, 3);
  assert.equal(file.alignment, 32);
  await file.close();
  assert.equal(closed(), 1);
});

test('a file that shrinks after it was opened is refused when a tensor is read', async () => {
  const path = join(folder, 'shrinks.gguf');
  writeFileSync(path, part(0, 1));
  const file = await openGguf(path);
  const [tensor] = file.tensors.values();
  assert.ok(tensor);
  truncateSync(path, tensor.offset + 8);
  const reading = readerOf(file, 0).readInto(tensor.offset, new Uint8Array(tensor.bytes));
  await assert.rejects(reading, { code: 'gguf_truncated' });
  await file.close();
});

/** Hostile and damaged headers: each is refused with a stable code before anything large is allocated. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteWriter, encodeGguf, type GgufModel, type MetaValue } from '../../scripts/synthetic/gguf-writer.ts';
import { memoryReader } from './memory-reader.ts';
import { parseHeader } from './parse.ts';

const magic = new TextEncoder().encode('GGUF');
const parse = (bytes: Uint8Array) => parseHeader(memoryReader(bytes, 'test.gguf'));
const start = (tensors: number | bigint, keys: number | bigint, version = 3) =>
  new ByteWriter().bytes(magic).u32(version).u64(tensors).u64(keys);
const room = new Uint8Array(4096);

/** The code and the message that `bytes` are refused with. */
async function refused(bytes: Uint8Array | ByteWriter, code: string, message: RegExp): Promise<void> {
  await assert.rejects(parse(bytes instanceof ByteWriter ? bytes.done() : bytes), {
    name: 'RealmError',
    code,
    message,
  });
}

function withMetadata(entries: Record<string, MetaValue>): Uint8Array {
  return encodeGguf({ metadata: new Map(Object.entries(entries)), tensors: [] });
}

interface Tensor {
  name?: string;
  shape?: (number | bigint)[];
  type?: number;
  offset?: number | bigint;
}

/** A file of these declarations and `dataBytes` of data. */
function withTensors(tensors: Tensor[], dataBytes = 4096): Uint8Array {
  const out = start(tensors.length, 0);
  for (const [i, { name = `t${i}`, shape = [32], type = 0, offset = 128 * i }] of tensors.entries()) {
    out.string(name).u32(shape.length);
    for (const size of shape) out.u64(size);
    out.u32(type).u64(offset);
  }
  return out.pad(32).bytes(new Uint8Array(dataBytes)).done();
}

const model: GgufModel = {
  metadata: new Map<string, MetaValue>([
    ['general.architecture', { type: 'string', value: 'llama' }],
    ['numbers', { array: 'u16', values: [1, 2, 3] }],
    ['words', { array: 'string', values: ['a', '', '東京'] }],
    ['nested', { arrays: [{ array: 'bool', values: [true] }, { arrays: [] }] }],
  ]),
  tensors: [
    { name: 'a', shape: [32, 2], type: 'Q4_0', bytes: () => [new Uint8Array(36)] },
    { name: 'b', shape: [3], type: 'F32', bytes: () => [new Uint8Array(12)] },
  ],
};

describe('the beginning of the file', () => {
  test('something else than GGUF', async () => {
    await refused(
      new TextEncoder().encode('PK\u0003\u0004 and much more than 24 bytes'),
      'gguf_invalid',
      /^(?!.*(?:PK|more)).*does not begin with "GGUF"$/,
    );
    await refused(new Uint8Array(0), 'gguf_truncated', /has 0 bytes/);
    await refused(magic, 'gguf_truncated', /has 4 bytes/);
  });

  test('versions other than 2 and 3, and big-endian files', async () => {
    await refused(start(0, 0, 1), 'gguf_invalid', /version 1;/);
    await refused(start(0, 0, 4), 'gguf_invalid', /version 4;/);
    await refused(start(0, 0, 0x03000000), 'gguf_invalid', /big-endian/);
    assert.equal((await parse(start(0, 0, 2).done())).version, 2);
  });
});

describe('counts that lie', () => {
  test('more keys or tensors than the file can hold', async () => {
    await refused(start(0, 1000), 'gguf_truncated', /1000 keys/);
    await refused(start(1000, 0), 'gguf_truncated', /1000 tensors/);
    await refused(start(0, 2n ** 64n - 1n), 'gguf_limit', /keys/);
    await refused(start(2n ** 53n + 1n, 0), 'gguf_limit', /tensors/);
  });

  test('strings longer than the file or beyond the limit', async () => {
    for (const length of [4097n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 64n - 1n]) {
      await refused(start(0, 1).u64(length).bytes(room), 'gguf_truncated', /the name of key 0/);
      await refused(start(0, 1).string('k').u32(8).u64(length).bytes(room), 'gguf_truncated', /the value of "k"/);
    }
    await refused(start(0, 1).u64(70_000).bytes(new Uint8Array(80_000)), 'gguf_limit', /70000 bytes/);
  });

  test('arrays longer than the file or beyond the limits', async () => {
    for (const type of [0, 3, 6, 7, 8, 9, 10]) {
      for (const count of [4097n, 2n ** 32n, 2n ** 61n, 2n ** 64n - 1n]) {
        await refused(start(0, 1).string('k').u32(9).u32(type).u64(count).bytes(room), 'gguf_truncated', /array "k"/);
      }
    }
    const many = 9 * 2 ** 20;
    await refused(start(0, 1).string('k').u32(9).u32(0).u64(many).bytes(new Uint8Array(many)), 'gguf_limit', /limits/);
    const nested = start(0, 1)
      .string('k')
      .u32(9)
      .u32(9)
      .u64(70_000)
      .bytes(new Uint8Array(12 * 70_000));
    await refused(nested, 'gguf_limit', /limits/);
  });

  test('arrays nested too deep', async () => {
    const deep = (levels: number): MetaValue => {
      let value: Exclude<MetaValue, { type: unknown }> = { array: 'u8', values: [1] };
      for (let i = 1; i < levels; i++) value = { arrays: [value] };
      return value;
    };
    await refused(withMetadata({ k: deep(5) }), 'gguf_limit', /4 levels/);
    assert.deepEqual((await parse(withMetadata({ k: deep(4) }))).metadata.get('k'), [[[Uint8Array.of(1)]]]);
  });

  test('every truncation of a valid file is refused', async () => {
    const bytes = encodeGguf(model);
    await parse(bytes);
    // The padding after the last tensor may be missing.
    for (let length = 0; length < bytes.length - 20; length++) {
      await assert.rejects(parse(bytes.subarray(0, length)), { name: 'RealmError' }, `cut to ${length} bytes`);
    }
  });
});

describe('metadata', () => {
  test("keys named after JavaScript's own are harmless", async () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const out = start(0, names.length);
    for (const name of names) out.string(name).u32(8).string(`value of ${name}`);
    const { metadata } = await parse(out.done());
    assert.deepEqual(
      [...metadata],
      names.map(name => [name, `value of ${name}`]),
    );
    assert.equal(Object.getPrototypeOf({}), Object.prototype);
  });

  test('keys twice, or without a name', async () => {
    const twice = start(0, 2).string('k').u32(0).bytes(Uint8Array.of(1)).string('k').u32(0).bytes(Uint8Array.of(1));
    await refused(twice, 'gguf_invalid', /"k" occurs twice/);
    await refused(start(0, 1).string('').u32(4).u32(1).u64(0), 'gguf_invalid', /has no name/);
  });

  test('value types that do not exist', async () => {
    await refused(start(0, 1).string('k').u32(13).u64(0), 'gguf_invalid', /value type 13/);
    await refused(start(0, 1).string('k').u32(9).u32(99).u64(0), 'gguf_invalid', /element type 99/);
    await refused(start(0, 1).string('k').u32(7).u32(2), 'gguf_invalid', /neither 0 nor 1/);
  });

  test('bytes that are not UTF-8', async () => {
    const bad = Uint8Array.of(0x61, 0xff, 0xfe);
    await refused(start(0, 1).u64(3).bytes(bad).bytes(room), 'gguf_invalid', /name of key 0 is not valid UTF-8/);
    const value = start(0, 1).string('k').u32(8).u64(3).bytes(bad);
    await refused(value, 'gguf_invalid', /the value of "k" is not valid UTF-8/);
    const element = start(0, 1).string('k').u32(9).u32(8).u64(2).string('ok').u64(3).bytes(bad);
    await refused(element, 'gguf_invalid', /element 1 of "k"/);
  });

  test('a byte-order mark is part of the string', async () => {
    const values = ['\ufeff', '\ufeff//', 'a long enough one \ufeff'];
    const { metadata } = await parse(withMetadata({ k: { array: 'string', values } }));
    assert.deepEqual(metadata.get('k'), values);
  });

  test('control characters reach no message', async () => {
    const name = '\u001b]0;owned\u0007\n';
    const twice = start(0, 2).string(name).u32(0).bytes(Uint8Array.of(1)).string(name).u32(0).bytes(Uint8Array.of(1));
    await refused(twice, 'gguf_invalid', /^test\.gguf: key "\\u\{1b\}\]0;owned\\u\{7\}\\u\{a\}" occurs twice$/);
  });

  test('64-bit integers are exact', async () => {
    const { metadata } = await parse(
      withMetadata({
        small: { type: 'u64', value: 5 },
        huge: { type: 'u64', value: 2n ** 64n - 1n },
        low: { type: 'i64', value: -(2n ** 63n) },
        safe: { type: 'i64', value: -(2n ** 53n - 1n) },
      }),
    );
    assert.deepEqual([...metadata.values()], [5, 2n ** 64n - 1n, -(2n ** 63n), -(2 ** 53 - 1)]);
  });

  test('alignments that are no power of two', async () => {
    for (const value of [0, 3, 48, 2 ** 31]) {
      await refused(withMetadata({ 'general.alignment': { type: 'u32', value } }), 'gguf_invalid', /power of two/);
    }
    const wrong: MetaValue[] = [
      { type: 'string', value: '32' },
      { type: 'f32', value: 0.5 },
      { type: 'u64', value: 2n ** 63n },
    ];
    for (const value of wrong)
      await refused(withMetadata({ 'general.alignment': value }), 'gguf_invalid', /power of two/);
  });
});

describe('tensors', () => {
  test('shapes', async () => {
    await refused(withTensors([{ shape: [] }]), 'gguf_invalid', /"t0" has 0 dimensions/);
    await refused(withTensors([{ shape: [1, 1, 1, 1, 1] }]), 'gguf_invalid', /has 5 dimensions/);
    await refused(withTensors([{ shape: [32, 0] }]), 'gguf_invalid', /empty shape/);
    await refused(
      withTensors([{ shape: [33, 32], type: 2 }]),
      'gguf_invalid',
      /rows of 33 elements; Q4_0 .* blocks of 32/,
    );
    await refused(withTensors([{ shape: [128], type: 12 }]), 'gguf_invalid', /Q4_K .* 256/);
  });

  test('sizes that wrap around', async () => {
    const shapes = [
      [2n ** 63n],
      [2n ** 32n, 2n ** 32n],
      [2n ** 62n, 4, 1, 1],
      [2n ** 63n, 2n ** 63n, 2n ** 63n, 2n ** 63n],
    ];
    for (const shape of shapes) await refused(withTensors([{ shape }]), 'gguf_truncated', /lies outside/);
  });

  test('types', async () => {
    await refused(withTensors([{ type: 9 }]), 'gguf_type_unknown', /tensor "t0": tensor type Q8_1/);
    await refused(withTensors([{ type: 2 ** 32 - 1 }]), 'gguf_type_unknown', /4294967295 is not known/);
  });

  test('places', async () => {
    await refused(withTensors([{ offset: 4096 - 32 }]), 'gguf_truncated', /lies outside the 4096 bytes/);
    await refused(withTensors([{ offset: 2n ** 64n - 32n }]), 'gguf_truncated', /lies outside/);
    await refused(withTensors([{ offset: 31 }]), 'gguf_invalid', /not aligned to 32/);
    await refused(withTensors([{ offset: 128 }, { offset: 96 }]), 'gguf_invalid', /"t0" .* overlaps/);
    await refused(withTensors([{ offset: 0 }, { offset: 0 }]), 'gguf_invalid', /overlaps/);
  });

  test('names', async () => {
    await refused(withTensors([{ name: 'same' }, { name: 'same' }]), 'gguf_invalid', /"same" occurs twice/);
    await refused(withTensors([{ name: '' }]), 'gguf_invalid', /has no name/);
    await refused(withTensors([{ name: 'x'.repeat(300) }]), 'gguf_limit', /300 bytes/);
  });

  test('a valid file is described', async () => {
    const { tensors, metadata, alignment } = await parse(encodeGguf({ ...model, alignment: 64 }));
    assert.equal(alignment, 64);
    assert.deepEqual(metadata.get('nested'), [[true], []]);
    assert.deepEqual(metadata.get('words'), ['a', '', '東京']);
    const [a, b] = tensors;
    assert.deepEqual({ ...a, offset: 0 }, { name: 'a', shape: [32, 2], type: 'Q4_0', file: 0, offset: 0, bytes: 36 });
    assert.ok(a && b);
    assert.equal(b.offset, a.offset + 64);
    assert.equal(a.offset % 64, 0);
  });
});

test('a vocabulary of 262,144 strings is read in a few reads', async () => {
  const values = Array.from({ length: 262_144 }, (_, i) => `▁token${i}`);
  const reader = memoryReader(withMetadata({ tokens: { array: 'string', values } }));
  let reads = 0;
  const read = (offset: number, length: number) => {
    reads++;
    return reader.read(offset, length);
  };
  const { metadata } = await parseHeader({ ...reader, read });
  assert.deepEqual(metadata.get('tokens'), values);
  assert.ok(reads < 10, `${reads} reads`);
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ModuleError } from './byte-reader.ts';
import { checkFunctionBodies, costOf } from './compile-cost.ts';
import { type BodyContext, BodyReader } from './function-bodies.ts';
import { readModule } from './module-reader.ts';

const context: BodyContext = {
  types: [
    { params: 0, results: 0 },
    { params: 3, results: 2 },
  ],
  functions: [
    { params: 2, results: 1 },
    { params: 3, results: 2 },
  ],
  maxDepth: 5,
  maxLocals: 20,
};

/** Function 0: two parameters, one result; `locals` are declarations. */
const read = (code: readonly number[], locals: readonly number[] = [0]) =>
  new BodyReader(Uint8Array.from([...locals, ...code, 0x0b]), 0, context).read();
const refuses = (code: readonly number[], message: RegExp, locals?: readonly number[]) =>
  assert.throws(
    () => read(code, locals),
    (error: unknown) => error instanceof ModuleError && message.test(error.message),
    `${code}`,
  );

describe('function bodies', () => {
  test('those of the guest programs are read to their ends', () => {
    for (const name of ['default', 'shout']) {
      const layout = readModule(readFileSync(new URL(`../../guest/wasm/${name}.wasm`, import.meta.url)));
      assert.ok(layout.bodies.length > 5);
      checkFunctionBodies(layout);
    }
  });

  test('every instruction has the length that V8 gives it', () => {
    // V8 accepts a module whose body is this instruction, unreachable, only if it ends where it ends for V8.
    for (const [name, code] of Object.entries(instructions)) {
      const body = [0x00, ...code, 0x00];
      assert.doesNotThrow(() => read(body), name);
      assert.ok(WebAssembly.validate(moduleOf(body)), `${name} is valid`);
    }
  });

  test('every opcode that V8 knows is read, or refused by name', () => {
    for (let opcode = 0; opcode < 256; opcode++) {
      for (const code of [[opcode], [0xfc, opcode], [0xfd, ...twoBytes(opcode)]]) {
        if (special(code)) continue;
        // Zeros for whatever immediates it has: to V8 it is valid, or has wrong types, or does not exist.
        const body = [0x00, ...code, ...Array<number>(20).fill(0x00), 0x00];
        if (WebAssembly.validate(moduleOf(body))) assert.ok(known(body), `0x${Buffer.from(code).toString('hex')}`);
      }
    }
  });

  test('locals, blocks and what they carry are counted', () => {
    const plain = read([0x20, 0, 0x1a, 0x20, 0], [1, 3, 0x7f]);
    assert.equal(plain.locals, 5);
    // The function's beginning, and its end with its result.
    assert.deepEqual([plain.joins, plain.joinedValues, plain.loopValues], [2, 5 + 6, 0]);
    // i32.const i32.const if else end drop drop: two values lie beneath the if.
    const branched = read([0x41, 1, 0x41, 1, 0x41, 0, 0x04, 0x40, 0x05, 0x0b, 0x1a, 0x1a, 0x20, 0], [1, 3, 0x7f]);
    assert.deepEqual([branched.joins, branched.joinedValues], [5, 11 + 3 * 7]);
    const loop = read([0x41, 1, 0x03, 0x40, 0x20, 0, 0x0d, 0, 0x0b, 0x1a, 0x20, 0], [1, 3, 0x7f]);
    assert.deepEqual([loop.joins, loop.joinedValues, loop.loopValues], [5, 11 + 3 * 6, 6]);
    assert.equal(loop.depth, 1);
  });

  test('every entry of a branch table counts', () => {
    const table = (entries: number) =>
      read([0x02, 0x40, 0x20, 0, 0x0e, entries, ...Array<number>(entries + 1).fill(0), 0x0b, 0x20, 0]);
    assert.equal(table(50).joins - table(10).joins, 40);
    assert.equal(table(50).joinedValues - table(10).joinedValues, 40 * 2);
  });

  test('what calls pass counts', () => {
    const { passedValues } = read([0x20, 0, 0x20, 0, 0x20, 0, 0x10, 1, 0x1a]);
    assert.equal(passedValues, 5);
    const indirect = read([0x20, 0, 0x20, 0, 0x20, 0, 0x20, 0, 0x11, 1, 0, 0x1a]);
    assert.equal(indirect.passedValues, 5);
  });

  test('a branch carries what its label wants, also where it is not reached', () => {
    const never = read([0x02, 1, 0x00, 0x0c, 0, 0x0b, 0x1a, 0x1a, 0x20, 0]);
    const empty = read([0x02, 0x40, 0x00, 0x0c, 0, 0x0b, 0x20, 0]);
    assert.ok(never.joinedValues > empty.joinedValues);
  });

  test('the cost grows with the product', () => {
    const cost = (locals: number, blocks: number) =>
      costOf(
        new BodyReader(
          Uint8Array.from([1, locals, 0x7f, ...Array(blocks).fill([0x02, 0x40, 0x0b]).flat(), 0x20, 0, 0x0b]),
          0,
          { ...context, maxLocals: 1000 },
        ).read(),
      );
    const added = cost(127, 1000) - cost(63, 1000);
    assert.ok(Math.abs(added / (cost(127, 500) - cost(63, 500)) - 2) < 0.1);
  });

  test('what other proposals need is refused by name', () => {
    refuses([0x06, 0x40], /function 0 uses exceptions \(opcode 0x06\); compile it without/);
    refuses([0x1f, 0x40], /uses exceptions/);
    refuses([0x08, 0], /uses exceptions/);
    refuses([0x14, 0], /typed function references/);
    refuses([0xd4], /typed function references/);
    refuses([0xfb, 0], /garbage-collected types \(opcode 0xfb 0x00\)/);
    refuses([0xfe, 3, 0], /threads \(opcode 0xfe 0x03\)/);
    refuses([0xfd, 0x80, 2], /relaxed SIMD/);
    refuses([0xfc, 0x13], /wide arithmetic/);
  });

  test('unknown opcodes, wrong ends and indices are refused', () => {
    refuses([0x27], /function 0 has the opcode 0x27, which is unknown/);
    refuses([0xff], /opcode 0xff, which is unknown/);
    refuses([0xfd, 0x9a, 1], /opcode 0xfd 0x9a, which is unknown/);
    refuses([0xfc, 0x30], /opcode 0xfc 0x30, which is unknown/);
    refuses([0x02, 0x40], /function 0 ends too early/);
    refuses([0x0b], /function 0 goes on behind its end/);
    refuses([0x10, 9], /no function 9/);
    refuses([0x11, 9, 0], /no type 9/);
    refuses([0x02, 9], /no type 9/);
    refuses([0x0c, 1], /branches out of itself/);
  });

  test('depth and locals have their limits', () => {
    const nested = (depth: number) => [
      ...Array(depth).fill([0x02, 0x40]).flat(),
      ...Array(depth).fill(0x0b),
      ...[0x20, 0],
    ];
    assert.equal(read(nested(5)).depth, 5);
    refuses(nested(6), /function 0 nests blocks more than 5 deep/);
    assert.equal(read([0x20, 0], [1, 18, 0x7f]).locals, 20);
    refuses([0x20, 0], /function 0 has 21 locals; 20 are allowed/, [1, 19, 0x7f]);
    refuses([0x20, 0], /has 4294967297 locals; 20 are allowed/, [1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f]);
  });

  test('bytes at random are read or refused, nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), bytes => {
        try {
          assert.equal(new BodyReader(bytes, 0, context).read().bytes, bytes.length);
        } catch (error) {
          assert.ok(error instanceof ModuleError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});

const known = (body: readonly number[]): boolean => {
  try {
    read(body);
    return true;
  } catch (error) {
    return /compile it without/.test(String(error));
  }
};

const twoBytes = (opcode: number): number[] => (opcode < 128 ? [opcode] : [(opcode & 0x7f) | 0x80, 1]);

/** Opcodes whose operands or effects the sweep cannot write down: blocks, branches, calls, prefixes. */
const special = ([opcode = 0]: readonly number[]): boolean => opcode < 0x14 || opcode === 0x1f || opcode >= 0xfe;

/** Function 0 with `body`, and around it whatever it may name. */
function moduleOf(body: readonly number[]): Uint8Array<ArrayBuffer> {
  const section = (id: number, content: readonly number[]) => [id, content.length, ...content];
  const bytes = [0, ...body, 0x0b];
  return Uint8Array.from([
    ...[0, 97, 115, 109, 1, 0, 0, 0],
    ...section(1, [2, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 0x60, 3, 0x7f, 0x7f, 0x7f, 2, 0x7f, 0x7f]),
    ...section(3, [1, 0]),
    ...section(4, [1, 0x70, 0, 1]),
    ...section(5, [1, 0, 1]),
    ...section(6, [1, 0x7f, 1, 0x41, 0, 0x0b]),
    ...section(9, [1, 1, 0, 1, 0]),
    ...section(12, [1]),
    ...section(10, [1, bytes.length, ...bytes]),
    ...section(11, [1, 1, 0]),
  ]);
}

const instructions: Record<string, readonly number[]> = {
  nop: [0x01],
  'block of a type by index': [0x02, 0, 0x00, 0x0b],
  'block of a type': [0x02, 0x7f, 0x00, 0x0b],
  'loop of no type': [0x03, 0x40, 0x0c, 0, 0x0b],
  'if and else': [0x04, 0x7e, 0x00, 0x05, 0x00, 0x0b],
  br_if: [0x02, 0x40, 0x41, 0, 0x0d, 0, 0x0b],
  br_table: [0x02, 0x40, 0x41, 0, 0x0e, 2, 0, 0, 0, 0x0b],
  call: [0x10, 0],
  call_indirect: [0x11, 0, 0],
  return_call: [0x12, 0],
  return_call_indirect: [0x13, 0, 0],
  'select with a type': [0x1c, 1, 0x7f],
  'i32.const of five bytes': [0x41, 0x80, 0x80, 0x80, 0x80, 0x78],
  'i64.const of ten bytes': [0x42, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00],
  'f32.const': [0x43, 0x0b, 0x0b, 0x0b, 0x0b],
  'f64.const': [0x44, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b],
  'v128.const': [0xfd, 12, ...Array<number>(16).fill(0x0b)],
  'i8x16.shuffle': [0xfd, 13, ...Array<number>(16).fill(0x0b)],
  'v128.load64_lane': [0xfd, 87, 3, 0x0b, 1],
  'v128.store32_lane': [0xfd, 90, 2, 0x0b, 3],
  'i32x4.replace_lane': [0xfd, 28, 3],
  'i32.load with a large offset': [0x28, 2, 0xff, 0xff, 0xff, 0xff, 0x0f],
  'i64.store32': [0x3e, 2, 0x0b],
  'memory.size, memory.grow': [0x3f, 0, 0x40, 0],
  'memory.init': [0xfc, 8, 0, 0],
  'data.drop': [0xfc, 9, 0],
  'memory.copy': [0xfc, 10, 0, 0],
  'memory.fill': [0xfc, 11, 0],
  'table.init': [0xfc, 12, 0, 0],
  'elem.drop': [0xfc, 13, 0],
  'table.copy': [0xfc, 14, 0, 0],
  'table.grow': [0xfc, 15, 0],
  'table.size': [0xfc, 16, 0],
  'table.fill': [0xfc, 17, 0],
  'table.get, table.set': [0x25, 0, 0x1a, 0x26, 0],
  'ref.null, ref.is_null': [0xd0, 0x70, 0xd1],
  'ref.func': [0xd2, 0],
  'sign extension': [0xc0, 0xc1],
  'saturating truncation': [0xfc, 0],
};

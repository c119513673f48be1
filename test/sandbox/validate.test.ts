import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { RealmError } from '../../src/errors.ts';
import { readBuiltinProgram } from '../../src/sandbox/builtin.ts';
import { MAX_MODULE_BYTES } from '../../src/sandbox/limits.ts';
import { readModule } from '../../src/sandbox/module-reader.ts';
import { limitModule, validateProgram } from '../../src/sandbox/validate.ts';
import { program, rig, wasm } from './helpers.ts';

const { sandbox } = rig();
after(() => sandbox.close());

const memory = '(memory (export "memory") 1)';
const fresh = '(func (export "realm_new") (result i32) (i32.const 0))';
const generate = '(func (export "generate") (param i32 i32 i32 i32) (result i32) (i32.const 0))';

const refused: [string, string | Uint8Array, RegExp][] = [
  ['no bytes', new Uint8Array(), /no WebAssembly module/],
  ['a text', new TextEncoder().encode('(module)'), /no WebAssembly module/],
  ['a component', new Uint8Array([0, 97, 115, 109, 13, 0, 1, 0]), /no WebAssembly module/],
  ['too many bytes', new Uint8Array(MAX_MODULE_BYTES + 1), /4194305 bytes; 4194304 are allowed/],
  ['an empty module', '(module)', /exports no memory/],
  ['no generate', `(module ${memory} ${fresh})`, /exports no function generate/],
  ['no realm_new', `(module ${memory} ${generate})`, /exports no function realm_new/],
  [
    'generate with other parameters',
    `(module ${memory} ${fresh} (func (export "generate") (param i32 i64) (result f32) (f32.const 0)))`,
    /generate as \(i32, i64\) -> \(f32\) instead of \(i32, i32, i32, i32\) -> \(i32\)/,
  ],
  ['memory that is a function', `(module ${fresh} ${generate} (export "memory" (func 0)))`, /exports no memory/],
  [
    'a realm_on_token that is a global',
    `(module ${memory} ${fresh} ${generate} (global (export "realm_on_token") i32 (i32.const 0)))`,
    /exports no function realm_on_token/,
  ],
  [
    'an unknown import',
    `(module (import "env" "fopen" (func (param i32))) ${memory} ${fresh} ${generate})`,
    /imports env\.fopen, which does not exist; env offers realm_host_generate,/,
  ],
  [
    'an import from elsewhere',
    `(module (import "wasi_snapshot_preview1" "fd_write" (func)) ${memory} ${fresh} ${generate})`,
    /imports wasi_snapshot_preview1\.fd_write/,
  ],
  [
    'an import of another type',
    `(module (import "env" "realm_stream_token" (func (param i64))) ${memory} ${fresh} ${generate})`,
    /imports env\.realm_stream_token as \(i64\) -> \(\) instead of \(i32, i32\) -> \(i32\)/,
  ],
  ['an imported memory', `(module (import "env" "memory" (memory 1)) ${fresh} ${generate})`, /imports the memory/],
  [
    'an imported global',
    `(module (import "env" "g" (global i32)) ${memory} ${fresh} ${generate})`,
    /imports the global/,
  ],
  ['an imported table', `(module (import "env" "t" (table 1 funcref)) ${memory} ${fresh} ${generate})`, /the table/],
  ['shared memory', `(module (memory (export "memory") 1 2 shared) ${fresh} ${generate})`, /without threads/],
  ['64-bit memory', `(module (memory (export "memory") i64 1) ${fresh} ${generate})`, /wasm32/],
  ['two memories', `(module ${memory} (memory 1) ${fresh} ${generate})`, /2 memories/],
  [
    'garbage-collected types',
    `(module (type $s (struct)) ${memory} ${fresh} ${generate} (global (ref null $s) (ref.null $s)))`,
    /garbage-collected/,
  ],
  [
    'a memory that starts too large',
    `(module (memory (export "memory") 1025) ${fresh} ${generate})`,
    /64 MB are allowed/,
  ],
  ['a table that starts too large', `(module (table 65537 funcref) ${memory} ${fresh} ${generate})`, /65537 entries/],
  [
    'too many imports',
    `(module ${'(import "env" "candle_matmul" (func))'.repeat(65)} ${memory} ${fresh} ${generate})`,
    /65 imports/,
  ],
];

for (const [what, module, message] of refused) {
  test(`${what} is refused`, async () => {
    const bytes = typeof module === 'string' ? wasm(module) : module;
    await assert.rejects(sandbox.load('bad', bytes), (error: unknown) => {
      assert.ok(error instanceof RealmError, String(error));
      assert.equal(error.code, 'program_invalid');
      assert.match(error.message, message);
      return true;
    });
  });
}

test('code that does not compile is refused', async () => {
  const bytes = program('(i32.const 0)');
  // An i64.const.
  bytes[bytes.length - 3] = 0x42;
  await assert.rejects(sandbox.load('bad', bytes), { code: 'program_invalid', message: /does not compile/ });
});

test('memory and tables are limited whatever the module declares', () => {
  const limits = (text: string) => {
    const { memory: pages, tables } = readModule(limitModule(validateProgram(wasm(text)), 2));
    return [pages, ...tables].map(each => [each!.min, each!.max]);
  };
  const rest = `${fresh} ${generate}`;
  assert.deepEqual(limits(`(module ${memory} ${rest})`), [[1, 32]]);
  assert.deepEqual(limits(`(module (memory (export "memory") 2 7) ${rest})`), [[2, 7]]);
  const tables = '(table 3 funcref) (table 200 1000000 externref)';
  assert.deepEqual(limits(`(module ${tables} (memory (export "memory") 2 700) ${rest})`), [
    [2, 32],
    [3, 65536],
    [200, 65536],
  ]);
});

test('a program may state a smaller memory at load than at run', async () => {
  const bytes = wasm(`(module (memory (export "memory") 48) ${fresh} ${generate})`);
  await assert.rejects(sandbox.load('big', bytes, { memoryMb: 2 }), { code: 'program_invalid', message: /2 MB/ });
  await sandbox.load('big', bytes, { memoryMb: 3 });
});

test('custom sections are left out', () => {
  const plain = program('(i32.const 0)');
  const custom = [0, 5, 1, 97, 1, 2, 3];
  const bytes = new Uint8Array([...plain, ...custom]);
  assert.deepEqual(limitModule(validateProgram(bytes), 1), limitModule(validateProgram(plain), 1));
});

test('bytes at random are loaded or refused, nothing else', { timeout: 60_000 }, async () => {
  const good = await readBuiltinProgram('default');
  const change = fc.tuple(fc.nat(good.length - 1), fc.oneof(fc.nat(255), fc.constantFrom(0x7f, 0x80, 0xff, 0)));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(good.length), async (changes, cut) => {
      const bytes = good.slice(0, changes.length === 4 ? cut : good.length);
      for (const [at, value] of changes) bytes[at] = value;
      try {
        await sandbox.load('mutated', bytes);
      } catch (error) {
        assert.ok(error instanceof RealmError && error.code === 'program_invalid', String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test('an export of a memory that is not there is none', async () => {
  const good = await readBuiltinProgram('default');
  // Sections are an id, a length (here of a byte, for those before the code) and that many bytes; 5 is the memory's.
  let at = 8;
  while (good[at] !== 5)
    at += 2 + (good[at + 1]! < 0x80 ? good[at + 1]! : (good[at + 1]! & 0x7f) + good[at + 2]! * 128 + 1);
  const without = Buffer.concat([good.subarray(0, at), good.subarray(at + 2 + good[at + 1]!)]);
  await assert.rejects(sandbox.load('x', without), { code: 'program_invalid', message: /has no memory of its own/ });
});

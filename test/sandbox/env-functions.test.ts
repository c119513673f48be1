/** The functions of module `env` beside those that generate. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { RealmError } from '../../src/errors.ts';
import { GuestError } from '../../src/sandbox/abi.ts';
import type { ModelId } from '../../src/sandbox/model-id.ts';
import type { ProgramHost } from '../../src/sandbox/types.ts';
import { fakeHost, rig, wasm } from './helpers.ts';

const { sandbox, run } = rig();
after(() => sandbox.close());

/** A program whose `generate` streams the four bytes of a number. */
function saying(code: string, more = ''): Uint8Array {
  return wasm(`(module
    (import "env" "realm_stream_token" (func $stream (param i32 i32) (result i32)))
    (import "env" "realm_host_generate" (func $generate (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "realm_get_model_info" (func $info (param i32 i32 i32) (result i32)))
    (import "env" "realm_host_load_model_by_name" (func $find (param i32 i32) (result i32)))
    (import "env" "realm_set_lora_adapter" (func $lora (param i32 i32 i32) (result i32)))
    (import "env" "realm_embed_tokens" (func $embed (param i32 i32 i32 i32) (result i32)))
    (import "env" "realm_forward_layer" (func $forward (param i32 i32 i32 i32) (result i32)))
    (import "env" "realm_compute_logits" (func $logits (param i32 i32 i32 i32) (result i32)))
    (import "env" "candle_matmul" (func $matmul (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "memory64_load_layer" (func $layer (param i32 i32 i32) (result i32)))
    (import "env" "memory64_stats" (func $stats (result i64)))
    (memory (export "memory") 2) (data (i32.const 0) "small") (data (i32.const 16) "legal") ${more}
    (func $say (param $n i32)
      (local $i i32)
      (loop $next
        (i32.store8 (i32.const 60000)
          (i32.add (i32.const 48) (i32.and (i32.shr_u (local.get $n) (i32.sub (i32.const 28) (local.get $i))) (i32.const 15))))
        (drop (call $stream (i32.const 60000) (i32.const 1)))
        (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 32)))))
    (func (export "realm_new") (result i32) (i32.const 0))
    (func (export "generate") (param $prompt i32) (param $len i32) (param $model i32) (param $options i32) (result i32)
      ${code}
      (i32.const 0)))`);
}

/** The numbers that it says, in its own digits of 16. */
async function numbers(code: string, host?: ProgramHost, more?: string): Promise<number[]> {
  const text = (await run(saying(code, more), host ? { host } : {})).join('');
  return (text.match(/.{8}/g) ?? []).map(digits =>
    [...digits].reduce((sum, digit) => (sum << 4) | (digit.charCodeAt(0) - 48), 0),
  );
}

const host = (more: Partial<ProgramHost>) => fakeHost([], more as object);

test('model info is the model’s metadata', async () => {
  const code = '(call $say (call $info (i32.const 3) (i32.const 1000) (i32.const 100)))';
  assert.deepEqual(await numbers(code), [JSON.stringify({ model: 3 }).length]);
});

test('a model by its name, or that there is none', async () => {
  const code =
    '(call $say (call $find (i32.const 0) (i32.const 5))) (call $say (call $find (i32.const 0) (i32.const 2)))';
  const { host: its } = host({
    find: async name => {
      if (name === 'small') return 7 as ModelId;
      throw new RealmError('model_not_found', 'none');
    },
  });
  assert.deepEqual(await numbers(code, its), [7, GuestError.modelNotFound]);
});

test('an adapter holds for what is generated from then on, until it is lifted', async () => {
  const generate =
    '(drop (call $generate (i32.const 2) (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 0)))';
  const set = (length: number) => `(call $say (call $lora (i32.const 2) (i32.const 16) (i32.const ${length})))`;
  const { host: its, calls } = host({
    checkAdapter: async (_model, name) => {
      if (name !== 'legal') throw new RealmError('adapter_not_found', 'none');
    },
  });
  const code = [generate, set(5), generate, set(3), generate, set(0), generate].join(' ');
  assert.deepEqual(await numbers(code, its), [0, GuestError.modelNotFound, 0]);
  const adapters = calls.map(call => (call as { adapter?: string }).adapter);
  assert.deepEqual(adapters, [undefined, 'legal', 'legal', undefined]);
});

test('a product of matrices is computed in the guest’s own memory', async () => {
  const floats = (...values: number[]) =>
    [...Buffer.from(Float32Array.from(values).buffer)].map(byte => `\\${byte.toString(16).padStart(2, '0')}`).join('');
  const more = `(data (i32.const 101) "${floats(1, 2, 3, 4)}") (data (i32.const 201) "${floats(5, 6, 7, 8)}")`;
  const sizes = '(i32.const 2) (i32.const 2) (i32.const 2)';
  const code = `(call $say (call $matmul (i32.const 101) (i32.const 201) (i32.const 301) ${sizes}))
    (call $say (i32.trunc_f32_s (f32.load (i32.const 301)))) (call $say (i32.trunc_f32_s (f32.load (i32.const 313))))
    (call $say (call $matmul (i32.const -1) (i32.const 201) (i32.const 301) ${sizes}))
    (call $say (call $matmul (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1) (i32.const -1) (i32.const -1)))`;
  assert.deepEqual(await numbers(code, undefined, more), [
    ...[0, 19, 50],
    GuestError.invalidPointer,
    GuestError.invalidArgument,
  ]);
});

test('the size of its memory; weights, hidden states and layers are not for guests', async () => {
  const zeros = (count: number) => '(i32.const 0) '.repeat(count);
  const code = `(call $say (i32.wrap_i64 (call $stats)))
    (call $say (call $embed ${zeros(4)})) (call $say (call $forward ${zeros(4)}))
    (call $say (call $logits ${zeros(4)})) (call $say (call $layer ${zeros(3)}))`;
  // Two pages of its own, and one that the host has added for the request.
  assert.deepEqual(await numbers(code), [3 * 65_536, ...Array(4).fill(GuestError.notPermitted)]);
});

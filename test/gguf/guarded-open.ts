import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RealmError } from '../../src/errors.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import type { GgufFile } from '../../src/gguf/types.ts';
import { byteLength } from '../../src/quant/formats.ts';

export const mostBytes = (fileBytes: number) => 4 * fileBytes + 64 * 2 ** 20;
export const mostMs = 1000;

/** Milliseconds that this thread has computed: unlike the clock, not longer on a busy machine. */
export function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function memoryInUse(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The description of `bytes`, or the error that refuses them; throws when it takes too long or too much memory. */
export async function openGuarded(bytes: Uint8Array): Promise<GgufFile | Error> {
  const memory = memoryInUse();
  const start = cpuMs();
  const result = await openGguf(memoryReader(bytes)).catch(error => error);
  const took = cpuMs() - start;
  const used = memoryInUse() - memory;
  assert.ok(took < mostMs, `took ${took} ms`);
  assert.ok(used < mostBytes(bytes.length), `took ${used} bytes for a file of ${bytes.length}`);
  return result;
}

/** What every accepted file keeps: tensors in the file, of the size that their type says, apart from each other. */
export function checkAccepted(file: GgufFile): void {
  let end = 0;
  for (const { shape, type, offset, bytes } of [...file.tensors.values()].sort((a, b) => a.offset - b.offset)) {
    assert.equal(
      bytes,
      byteLength(
        type,
        shape.reduce((a, b) => a * b),
      ),
    );
    assert.ok(Number.isSafeInteger(bytes) && bytes > 0 && offset >= end && offset % file.alignment === 0);
    end = offset + bytes;
  }
  assert.ok(end <= file.size);
}

/** What every refusal keeps: a stable code and a message that is safe to print. */
export function checkRefused(error: Error): asserts error is RealmError {
  assert.ok(error instanceof RealmError, `threw ${error.stack}`);
  assert.match(error.code, /^(gguf_\w+|model_invalid)$/);
  assert.doesNotMatch(error.message, /[\p{Cc}\p{Cs}\u202e]/u);
}

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Memory in use without garbage; buffers are freed only after a turn of the event loop. */
async function memoryHeld(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    collectGarbage();
    await new Promise(done => setImmediate(done));
  }
  return memoryInUse();
}

/** What opening `bytes` costs: bytes that the description holds, and milliseconds. */
export async function costOf(bytes: Uint8Array): Promise<{ held: number; ms: number }> {
  const memory = await memoryHeld();
  const start = cpuMs();
  const file = await openGguf(memoryReader(bytes));
  const ms = cpuMs() - start;
  const held = (await memoryHeld()) - memory;
  assert.ok(bytes.length + file.metadata.size + file.tensors.size > 0, 'both are still held');
  return { held, ms };
}

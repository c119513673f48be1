import { ByteWriter } from '../../scripts/synthetic/gguf-writer.ts';
import { limits } from '../../src/gguf/limits.ts';

/** Files that are cheap to send and dear to hold: as many as the limits let pass of what costs most for its bytes. */
export const dearFiles: Readonly<Record<string, () => Uint8Array>> = {
  'short strings': () => {
    return array(8, 2_000_000, (out, i) => out.string(String.fromCharCode(97 + (i % 26), 97 + (i % 25))));
  },
  'strings of one wide character': () => array(8, 1_000_000, out => out.string('東')),
  'empty strings': () => array(8, limits.arrayElements, out => out.u64(0)),
  booleans: () => array(7, limits.arrayElements, (out, i) => (i % 4 === 0 ? out.u32(0x01000100) : out)),
  'nested arrays': () => array(9, limits.nestedArrays, out => out.u32(6).u64(0)),
  keys: () => {
    const out = start(0, limits.keys);
    for (let i = 0; i < limits.keys; i++) out.string(i.toString(36)).u32(9).u32(6).u64(0);
    return out.done();
  },
  tensors: () => {
    const out = start(limits.tensors, 0);
    for (let i = 0; i < limits.tensors; i++)
      out
        .string(i.toString(36))
        .u32(1)
        .u64(1)
        .u32(0)
        .u64(32 * i);
    return out
      .pad(32)
      .bytes(new Uint8Array(32 * limits.tensors))
      .done();
  },
};

function start(tensors: number, keys: number): ByteWriter {
  return new ByteWriter().bytes(new TextEncoder().encode('GGUF')).u32(3).u64(tensors).u64(keys);
}

function array(type: number, elements: number, each: (out: ByteWriter, i: number) => unknown): Uint8Array {
  const out = start(0, 1).string('k').u32(9).u32(type).u64(elements);
  for (let i = 0; i < elements; i++) each(out, i);
  return out.done();
}

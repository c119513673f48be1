import { readFile } from 'node:fs/promises';

/** The programs that come with Realm (guest/), by name. They are trusted: they share one thread. */
export const builtinPrograms = ['default', 'shout'] as const;
export type BuiltinProgram = (typeof builtinPrograms)[number];

export function readBuiltinProgram(name: BuiltinProgram): Promise<Uint8Array> {
  return readFile(new URL(`../../guest/wasm/${name}.wasm`, import.meta.url));
}

/**
 * Clients and a model that are too big for everybody's `npm ci`. `scripts/clients FOLDER` installs them, and
 * REALM_CLIENTS names the folder.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const folder = process.env.REALM_CLIENTS && resolve(process.env.REALM_CLIENTS);

/** Why these tests are left out, or false. */
export const skip = !folder && 'REALM_CLIENTS names no folder (scripts/clients FOLDER makes one)';

/** One of the packages, without its types: the type check does not need the folder. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export const load = (name: string): any => createRequire(join(folder || '.', 'package.json'))(name);

export const python = join(folder || '.', 'python/bin/python3');

/** A small model that calls tools when it wants to. */
export function qwenPath(): string {
  const file = 'qwen2.5-coder-0.5b-instruct-q4_k_m.gguf';
  const found = [process.env.REALM_TEST_MODELS, folder]
    .map(each => each && resolve(each, file))
    .find(each => each && existsSync(each));
  if (!found) throw new Error(`${file} is neither in REALM_TEST_MODELS nor in REALM_CLIENTS`);
  return found;
}

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bundle = join(root, 'node_modules/node-llama-cpp/llama/gitRelease.bundle');
const build = join(root, 'build');
const folder = join(build, 'llama.cpp');

let ready: Promise<string> | undefined;

/**
 * The folder of llama.cpp's source (vocabularies, templates, expected tokens), cloned once from the git bundle that
 * node-llama-cpp carries. Test processes may call it at the same time: each clones into its own folder and the first to finish
 * moves it into place.
 */
export function llamaBundle(): Promise<string> {
  ready ??= clone();
  return ready;
}

async function clone(): Promise<string> {
  if (existsSync(folder)) return folder;
  await mkdir(build, { recursive: true });
  const temporary = await mkdtemp(join(build, 'llama.cpp-'));
  await promisify(execFile)('git', ['clone', '--quiet', '-c', 'advice.detachedHead=false', bundle, temporary]);
  try {
    await rename(temporary, folder);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

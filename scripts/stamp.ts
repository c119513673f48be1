/** What is built is not built again while its sources are the same: a stamp beside it is their digest. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `build` fills the folder `target` from `sources` and what package-lock.json says. */
export async function unlessBuilt(
  target: string,
  sources: readonly string[],
  build: () => Promise<void>,
): Promise<void> {
  const stampFile = join(target, 'stamp');
  const stamp = digestOf([...sources.filter(file => !/\.test\.tsx?$/.test(file)), 'package-lock.json']);
  if (stamp === read(stampFile)) return;
  await build();
  writeFileSync(stampFile, stamp);
}

function digestOf(files: readonly string[]): string {
  const digest = createHash('sha256');
  for (const file of [...files].sort()) digest.update(`${file}\0`).update(readFileSync(file)).update('\0');
  return digest.digest('hex');
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type FetchOptions, fetchModel } from '../fetch.ts';
import { removeDownloads } from '../installed.ts';
import { type HubReference, hubText } from '../reference.ts';
import { bytesAt, checkRoom } from '../room.ts';
import type { Store } from '../store.ts';
import type { ModelFile, Wanted } from '../types.ts';
import { listRepo } from './ask.ts';
import { hubOf } from './hub.ts';
import { findPulled, folderOf, forgetPulled, type Pulled, rememberPulled } from './pulled.ts';
import { type Choice, choicesIn, choose, type RepoFile } from './quantizations.ts';

const revision = 'main';

/**
 * The model of a hub's repository: as it was pulled before, without asking anybody, or downloaded with all of its parts and
 * checked against the hub's checksums. Throws `model_not_found`, `model_gated`, `quantization_not_found`, `download_failed`,
 * `checksum_mismatch`.
 */
export async function pullFromHub(store: Store, reference: HubReference, options: FetchOptions): Promise<ModelFile> {
  const { repo, quantization } = reference;
  const known = await findPulled(store, reference);
  const chosen = known ?? (await ask(reference, options));
  await checkParts(store, repo, chosen.files);
  for (const file of chosen.files) await fetchModel(store, wanted(reference, file), options);
  if (!known) {
    const { quantization: label, files } = chosen;
    await rememberPulled(store, repo, { quantization: label, usual: quantization === undefined, files });
  }
  return fileOf(store, repo, chosen);
}

/** Removes what was pulled, and unfinished parts of it; the paths that were removed. Throws `store_locked`. */
export async function removePulled(store: Store, reference: HubReference): Promise<string[]> {
  const { repo } = reference;
  const pulled = await findPulled(store, reference);
  if (!pulled) return [];
  const removed: string[] = [];
  for (const { path } of pulled.files) removed.push(...(await removeDownloads(store, join(folderOf(repo), path))));
  await forgetPulled(store, repo, pulled);
  return removed;
}

/** What is on this machine of what was pulled. */
export function fileOf(store: Store, repo: string, { files, quantization }: Choice | Pulled): ModelFile {
  const { path } = files[0]!;
  const name = basename(path).replace(/(-00001-of-\d{5})?\.gguf$/i, '');
  return { name, path: join(store.folder, folderOf(repo), path), origin: `Hugging Face ${repo} (${quantization})` };
}

/** That there is no room for the last part is said before the first one is fetched. */
async function checkParts(store: Store, repo: string, files: readonly RepoFile[]): Promise<void> {
  if (files.length === 1) return;
  const there = await Promise.all(files.map(({ path }) => bytesAt(join(store.folder, folderOf(repo), path))));
  const missing = files.filter(({ size }, i) => there[i] !== size).reduce((sum, { size }) => sum + size, 0);
  if (missing === 0) return;
  await mkdir(store.folder, { recursive: true });
  await checkRoom(store.folder, missing);
}

async function ask({ repo, quantization }: HubReference, { env = process.env, signal }: FetchOptions): Promise<Choice> {
  const files = await listRepo(hubOf(env, signal), repo, revision);
  return choose(repo, choicesIn(files), quantization);
}

function wanted({ repo, quantization }: HubReference, { path, size, sha256 }: RepoFile): Wanted {
  return {
    name: hubText({ kind: 'hub', repo, quantization }),
    file: join(folderOf(repo), path),
    pin: { size, sha256 },
    sources: [{ kind: 'local' }, { kind: 'hub', repo, revision, path }],
  };
}

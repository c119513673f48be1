import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { HubReference } from '../reference.ts';
import type { Store } from '../store.ts';
import type { RepoFile } from './quantizations.ts';

/** What was pulled from a repository; from then on its checksums are what the files must have. */
export interface Pulled {
  readonly quantization: string;
  /** Nobody said which, and this one was chosen. */
  readonly usual: boolean;
  /** In the order of the parts. */
  readonly files: readonly RepoFile[];
}

const recordName = 'pulled.json';

/** Below the store's folder: where a repository's files lie. */
export const folderOf = (repo: string): string => join('hub', ...repo.split('/'));

/** The one that the reference means; undefined: it has not been pulled. */
export async function findPulled(store: Store, { repo, quantization }: HubReference): Promise<Pulled | undefined> {
  const wanted = quantization?.toLowerCase();
  const all = await pulledOf(store, repo);
  if (wanted === undefined) return all.find(each => each.usual);
  const isNamed = ({ path }: RepoFile) => path.toLowerCase() === wanted;
  return all.find(each => each.quantization.toLowerCase() === wanted || each.files.some(isNamed));
}

export async function rememberPulled(store: Store, repo: string, pulled: Pulled): Promise<void> {
  const others = (await pulledOf(store, repo)).filter(({ quantization }) => quantization !== pulled.quantization);
  const before = (await pulledOf(store, repo)).find(({ quantization }) => quantization === pulled.quantization);
  const usual = pulled.usual || (before?.usual ?? false);
  await writePulled(store, repo, [...others, { ...pulled, usual }]);
}

export async function forgetPulled(store: Store, repo: string, { quantization }: Pulled): Promise<void> {
  const others = (await pulledOf(store, repo)).filter(each => each.quantization !== quantization);
  if (others.length > 0) return writePulled(store, repo, others);
  await rm(join(store.folder, folderOf(repo), recordName), { force: true });
}

/** All that was pulled, by repository. */
export async function allPulled(store: Store): Promise<{ repo: string; pulled: Pulled }[]> {
  const owners = await names(join(store.folder, 'hub'));
  const repos = await Promise.all(
    owners.map(async owner => (await names(join(store.folder, 'hub', owner))).map(name => `${owner}/${name}`)),
  );
  const found = await Promise.all(
    repos.flat().map(async repo => (await pulledOf(store, repo)).map(pulled => ({ repo, pulled }))),
  );
  return found.flat();
}

const names = async (folder: string): Promise<string[]> => (await readdir(folder).catch(() => [])).sort();

async function pulledOf(store: Store, repo: string): Promise<Pulled[]> {
  try {
    const value = JSON.parse(await readFile(join(store.folder, folderOf(repo), recordName), 'utf8'));
    return Array.isArray(value) ? value.filter(each => each?.files?.[0]?.path !== undefined) : [];
  } catch {
    return []; // Missing or damaged: what lies there is pulled again, which only checks it.
  }
}

async function writePulled(store: Store, repo: string, all: readonly Pulled[]): Promise<void> {
  const target = join(store.folder, folderOf(repo), recordName);
  const temporary = `${target}.${randomUUID()}`;
  await mkdir(dirname(target), { recursive: true });
  await writeFile(temporary, `${JSON.stringify(all, null, 2)}\n`);
  await rename(temporary, target);
}

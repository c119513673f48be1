import { HubApiError, listFiles, listModels, modelInfo, pathsInfo } from '@huggingface/hub';
import { RealmError } from '../../errors.ts';
import { type Hub, mostEntries, refusalOf } from './hub.ts';
import type { RepoFile } from './quantizations.ts';

/** What the hub says of a repository. */
export interface RepoInfo {
  readonly licence: string | undefined;
  readonly gated: boolean;
  readonly downloads: number;
}

export interface FoundRepo extends Omit<RepoInfo, 'licence'> {
  readonly repo: string;
  readonly updated: string;
}

/** All files of the repository that have a checksum: large ones do, by their LFS pointers. Throws `model_not_found`, `model_gated`. */
export async function listRepo(hub: Hub, repo: string, revision: string): Promise<RepoFile[]> {
  return asking(hub, repo, async () => {
    const files: RepoFile[] = [];
    let entries = 0;
    for await (const { path, lfs } of listFiles({ repo: model(repo), recursive: true, revision, ...connection(hub) })) {
      if (++entries > mostEntries) throw new RealmError('download_failed', `${repo} has over ${mostEntries} files.`);
      if (isChecksum(lfs) && isInside(path)) files.push({ path, size: lfs.size, sha256: lfs.oid });
    }
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  });
}

/** One file; undefined: it is not there, or has no checksum. */
export async function askFile(hub: Hub, repo: string, revision: string, path: string): Promise<RepoFile | undefined> {
  return asking(hub, repo, async () => {
    const [file] = await pathsInfo({ repo: model(repo), revision, paths: [path], ...connection(hub) });
    return isChecksum(file?.lfs) ? { path, size: file.lfs.size, sha256: file.lfs.oid } : undefined;
  });
}

export async function askRepo(hub: Hub, repo: string): Promise<RepoInfo> {
  return asking(hub, repo, async () => {
    const info = await modelInfo({ name: repo, additionalFields: ['cardData'], ...connection(hub) });
    const { license } = (info.cardData ?? {}) as { license?: unknown };
    const licence = typeof license === 'string' ? license : undefined;
    return { licence, gated: Boolean(info.gated), downloads: info.downloads };
  });
}

/** Repositories with GGUF files whose names have these words, those that are downloaded most first. */
export async function searchHub(hub: Hub, words: string, most: number): Promise<FoundRepo[]> {
  return asking(hub, words, async () => {
    const search = { query: words, tags: ['gguf'] };
    const found = await Array.fromAsync(listModels({ search, sort: 'downloads', limit: most, ...connection(hub) }));
    return found.map(({ name, downloads, gated, updatedAt }) => ({
      repo: name,
      downloads,
      gated: Boolean(gated),
      updated: Number.isNaN(updatedAt.getTime()) ? '' : updatedAt.toISOString().slice(0, 10),
    }));
  });
}

const model = (name: string) => ({ type: 'model', name }) as const;
const connection = ({ url, fetch }: Hub) => ({ hubUrl: url, fetch });

async function asking<T>(hub: Hub, repo: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof RealmError || !(cause instanceof Error) || cause.name === 'AbortError') throw cause;
    const known = cause instanceof HubApiError ? refusalOf(cause.statusCode, repo, hub) : undefined;
    if (known) throw known;
    // fetch wraps the interesting message in a cause.
    const reason = cause.cause instanceof Error ? cause.cause.message || cause.message : cause.message;
    throw new RealmError('download_failed', `${hub.url} does not answer about ${repo}: ${reason}.`, { cause });
  }
}

function isChecksum(lfs: { oid: string; size: number } | undefined): lfs is { oid: string; size: number } {
  return lfs !== undefined && /^[0-9a-f]{64}$/.test(lfs.oid) && Number.isSafeInteger(lfs.size) && lfs.size >= 0;
}

/** The path becomes one on this machine. */
function isInside(path: string): boolean {
  return path.split('/').every(name => /^[^\\/\p{Cc}:]{1,200}$/u.test(name) && !/^\.{1,2}$/.test(name));
}

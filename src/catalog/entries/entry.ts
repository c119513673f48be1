import type { CatalogEntry, Pin, Source } from '../types.ts';

export const GB = 1e9;

/** What an entry says beside where its file is. */
type About = Pick<
  CatalogEntry,
  'name' | 'description' | 'architecture' | 'licence' | 'memory' | 'context' | 'can' | 'system' | 'sampling'
>;

/** A file of a repository as it was at a commit: its size and its checksum there are known, and required of every source. */
export function pinned(about: About, repo: string, revision: string, path: string, pin: Pin): CatalogEntry {
  const sources: readonly Source[] = [{ kind: 'local' }, { kind: 'hub', repo, revision, path }];
  return { ...about, file: nameIn(path), pin, approximateSize: pin.size, sources };
}

/** A file whose checksum only the hub knows: what it says when it is asked is required of what it then sends. */
export function unpinned(about: About, repo: string, path: string, approximateSize: number): CatalogEntry {
  const sources: readonly Source[] = [{ kind: 'local' }, { kind: 'hub', repo, revision: 'main', path }];
  return { ...about, file: nameIn(path), approximateSize, sources };
}

const nameIn = (path: string): string => path.replace(/^.*\//, '');

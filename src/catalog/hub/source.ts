import { RealmError } from '../../errors.ts';
import type { Pin, Source, Wanted } from '../types.ts';
import { askFile } from './ask.ts';
import { fileUrl, hubOf, refusalOf } from './hub.ts';

type HubSource = Extract<Source, { kind: 'hub' }>;

export interface HubFile {
  readonly url: string;
  readonly headers: Record<string, string>;
  /** What a status of the download means. */
  readonly refuse: (status: number) => RealmError | undefined;
  /** The catalog's pin, or what the hub says of the file when the catalog has none. */
  readonly pin: Pin;
}

/**
 * Asks the hub for size and SHA-256 of the file (its LFS object id). Throws `model_not_found`, `model_gated`, and
 * `checksum_mismatch` when the hub has another file than the pinned one.
 */
export async function askHub(
  { repo, revision, path }: HubSource,
  { pin }: Wanted,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<HubFile> {
  const hub = hubOf(env, signal);
  const file = await askFile(hub, repo, revision, path);
  if (!file) throw new RealmError('download_failed', `${repo} has no ${path} with a checksum.`);
  const { size, sha256 } = file;
  if (pin && (size !== pin.size || sha256 !== pin.sha256)) {
    throw new RealmError('checksum_mismatch', `${repo} has another ${path} than the catalog expects.`);
  }
  const refuse = (status: number) => refusalOf(status, repo, hub);
  return { url: fileUrl(hub, repo, revision, path), headers: hub.headers, refuse, pin: { size, sha256 } };
}

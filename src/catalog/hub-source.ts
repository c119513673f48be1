import { pathsInfo } from '@huggingface/hub';
import { RealmError } from '../errors.ts';
import type { CatalogEntry, Pin, Source } from './types.ts';

type HubSource = Extract<Source, { kind: 'hub' }>;

/** Asking about a file must answer within this; downloading it may take as long as it takes. */
const questionMs = 20_000;

export interface HubFile {
  readonly url: string;
  readonly headers: Record<string, string>;
  /** The catalog's pin, or what the hub says of the file when the catalog has none. */
  readonly pin: Pin;
}

/**
 * Asks the hub for size and SHA-256 of the file (its LFS object id). `HF_ENDPOINT` names another hub, `HF_TOKEN` an access
 * token, as for Hugging Face's own tools. Throws `checksum_mismatch` when the hub has another file than the pinned one.
 */
export async function askHub(
  source: HubSource,
  entry: CatalogEntry,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<HubFile> {
  const accessToken = env.HF_TOKEN?.startsWith('hf_') ? env.HF_TOKEN : undefined;
  const limits = [AbortSignal.timeout(questionMs), ...(signal ? [signal] : [])];
  const [file] = await pathsInfo({
    repo: { type: 'model', name: source.repo },
    revision: source.revision,
    paths: [source.path],
    hubUrl: hubUrl(env),
    accessToken,
    fetch: (input, init) => fetch(input, { ...init, signal: AbortSignal.any(limits) }),
  });
  return {
    url: fileUrl(source, env),
    headers: accessToken ? { Authorization: `Bearer ${accessToken}` } : {},
    pin: agreedPin(source, entry, file?.lfs),
  };
}

/** Without a slash at the end. */
export const hubUrl = (env: NodeJS.ProcessEnv): string =>
  (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');

export const fileUrl = ({ repo, revision, path }: HubSource, env: NodeJS.ProcessEnv): string =>
  `${hubUrl(env)}/${repo}/resolve/${encodeURIComponent(revision)}/${path}`;

function agreedPin(source: HubSource, entry: CatalogEntry, lfs?: { oid: string; size: number }): Pin {
  if (!lfs || !/^[0-9a-f]{64}$/.test(lfs.oid) || !Number.isSafeInteger(lfs.size)) {
    throw new RealmError('download_failed', `${source.repo} has no ${source.path} with a checksum.`);
  }
  const { pin } = entry;
  if (pin && (lfs.size !== pin.size || lfs.oid !== pin.sha256)) {
    throw new RealmError('checksum_mismatch', `${source.repo} has another ${source.path} than the catalog expects.`);
  }
  return { size: lfs.size, sha256: lfs.oid };
}

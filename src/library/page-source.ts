import { modelsFolder } from '../catalog/opfs/folder.ts';
import { keepModel } from '../catalog/opfs/keep.ts';
import { openKept } from '../catalog/opfs/kept.ts';
import type { Sources } from '../catalog/opfs/open-entry.ts';
import { checkPin } from '../catalog/pin.ts';
import { asRealmError, RealmError } from '../errors.ts';
import { nameOfSource, openGguf } from '../gguf/open.ts';
import { inSplitOrder, namesOfParts } from '../gguf/splits.ts';
import type { FileSource, Reader } from '../gguf/types.ts';
import { runningSha256 } from '../platform/browser/running-sha256.ts';
import type { LoadOptions } from './options.ts';

/** Where a page's model comes from, beside the source itself. */
export interface CacheOptions {
  /**
   * Keep the model in the browser (the origin's private file system): the next time it is there without the network. A
   * download that broke off goes on where it ended. A browser that can keep nothing loads it all the same, with a warning.
   * Default `false`.
   */
  readonly cache?: boolean;
  /** SHA-256 that the file must have, in hex; a list of them for the files of a split model. Checked before anything is loaded. */
  readonly sha256?: string | readonly string[] | undefined;
}

type Options = CacheOptions & Pick<LoadOptions, 'signal' | 'onProgress' | 'onWarning'>;

/** A model's name and what to read it from. The files of a kept one are Blobs, whose bytes stay on the disk. */
export interface PageSource {
  readonly name: string;
  readonly file: FileSource;
}

export async function pageSource(source: FileSource, options: Options): Promise<PageSource> {
  if (typeof source === 'string' && /^sha256:/.test(source)) {
    const { name, files } = await openKept(source);
    return { name, file: files };
  }
  const name = nameOfSource(source);
  const sha256 = checksumsOf(options.sha256);
  const sources = options.cache ? sourcesOf(source) : undefined;
  const models = sources && (await folderOr(options));
  if (sources && models) {
    checkCount('urls' in sources ? sources.urls.length : sources.blobs.length, sha256);
    const { signal, onWarning } = options;
    const onProgress = (done: number, total = 0) => options.onProgress?.({ phase: 'download', done, total });
    const { files } = await keepModel(models, sources, { sha256, signal, onWarning, onProgress });
    return { name, file: files };
  }
  if (sha256) await checkSource(source, sha256);
  return { name, file: source };
}

/** Bytes are in memory already, and a path is refused by whoever opens it. */
function sourcesOf(source: FileSource): Sources | undefined {
  if (source instanceof Blob) return { blobs: [source] };
  if (Array.isArray(source))
    return source.every(each => each instanceof Blob) ? { blobs: inSplitOrder(source) } : undefined;
  const url = String(source);
  return /^https?:\/\//.test(url) ? { urls: namesOfParts(url) } : undefined;
}

async function folderOr({ onWarning }: Options): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await modelsFolder();
  } catch (error) {
    onWarning?.(`${asRealmError(error).message}; it is loaded all the same, and downloaded again the next time`);
    return undefined;
  }
}

function checksumsOf(sha256: CacheOptions['sha256']): string[] | undefined {
  if (sha256 === undefined) return undefined;
  const all = [sha256].flat();
  if (all.length > 0 && all.every(each => typeof each === 'string' && /^[0-9a-f]{64}$/i.test(each)))
    return all.map(each => each.toLowerCase());
  throw new RealmError('invalid_request', 'sha256: must have 64 hexadecimal digits, or be a list of such', {
    param: 'sha256',
  });
}

/** Reads it through once, for what is not kept. */
async function checkSource(source: FileSource, sha256: readonly string[]): Promise<void> {
  const { readers, close } = await openGguf(source);
  try {
    checkCount(readers.length, sha256);
    for (const [i, reader] of readers.entries())
      checkPin(reader.name, { size: reader.size, sha256: await sha256Of(reader) }, { sha256: sha256[i] });
  } finally {
    await close();
  }
}

function checkCount(files: number, sha256: readonly string[] | undefined): void {
  if (sha256 === undefined || sha256.length === files) return;
  const message = `sha256: the model has ${files} files, and ${sha256.length} checksums are given`;
  throw new RealmError('invalid_request', message, { param: 'sha256' });
}

/** Bytes that are in memory while a file is read through. */
const pieceBytes = 4 * 2 ** 20;

async function sha256Of(reader: Reader): Promise<string> {
  const hash = await runningSha256();
  for (let done = 0; done < reader.size; done += pieceBytes)
    hash.update(await reader.read(done, Math.min(pieceBytes, reader.size - done)));
  return hash.digest();
}

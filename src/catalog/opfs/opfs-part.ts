import { RealmError } from '../../errors.ts';
import { type NewFile, namesIn, newFile, removeIn } from '../../platform/browser/opfs.ts';
import { type RunningSha256, runningSha256 } from '../../platform/browser/running-sha256.ts';
import type { FileVersion, Part, PartWriter } from '../part.ts';
import { bytesOf, type FileState } from './entry.ts';
import { checkRoom, isFull, noRoom } from './room.ts';

/** Bytes of one write: smaller ones cost more calls to the browser's process than copying does. */
const writeBytes = 2 ** 20;
/** What a page that is killed loses of a download: a 64th of the file, within these bounds. */
const pieceBytes = { least: 4 * 2 ** 20, most: 128 * 2 ** 20 };

/** Where a part's state is kept between two visits. */
export interface PartRecord {
  readonly folder: FileSystemDirectoryHandle;
  /** Names of its pieces begin with it. */
  readonly prefix: string;
  read(): FileState | undefined;
  readonly save: (state: FileState | undefined) => Promise<void>;
}

/**
 * A part in the origin's private file system. It is many files, pieces, because a browser keeps what was written to a file
 * only once it is closed, and copies all of it when it is opened again.
 */
export function opfsPart(record: PartRecord): Part {
  return {
    size: async () => bytesOf(record.read()),
    get version() {
      return record.read()?.version;
    },
    open: (start, version) => openPart(record, start, version),
    sha256: async () => {
      const state = record.read();
      if (!state) throw new Error('nothing was written');
      if (state.sha256) return state.sha256;
      const sha256 = (await hashFrom(record, state)).digest();
      await record.save({ ...state, sha256 });
      return sha256;
    },
    remove: () => removePart(record),
  };
}

async function removePart({ folder, prefix, save }: PartRecord): Promise<void> {
  await save(undefined);
  const names = await Array.fromAsync(namesIn(folder));
  for (const name of names) if (name.startsWith(prefix)) await removeIn(folder, name);
}

/** SHA-256 from where it was. Another version of it cannot go on, and so neither can the part: the next try begins anew. */
async function hashFrom(record: PartRecord, state: FileState | undefined): Promise<RunningSha256> {
  try {
    return await runningSha256(state?.hash);
  } catch (cause) {
    await removePart(record);
    throw new Error('what was kept of the file is of another version', { cause });
  }
}

async function openPart(record: PartRecord, start: number, version: FileVersion): Promise<PartWriter> {
  const state = start > 0 ? record.read() : undefined;
  if (!state) await removePart(record);
  const hash = await hashFrom(record, state);
  const begun = state ?? { version, pieces: [], hash: hash.state() };
  if (version.size !== undefined) await checkRoom(version.size - bytesOf(state));
  await record.save(begun);
  return new Pieces(record, begun, hash);
}

class Pieces implements PartWriter {
  readonly #record: PartRecord;
  readonly #hash: RunningSha256;
  readonly #most: number;
  readonly #buffer = new Uint8Array(writeBytes);
  #filled = 0;
  #state: FileState;
  #piece: { readonly file: NewFile; bytes: number } | undefined;
  #failed = false;

  constructor(record: PartRecord, state: FileState, hash: RunningSha256) {
    this.#record = record;
    this.#state = state;
    this.#hash = hash;
    const share = Math.ceil((state.version.size ?? 0) / 64);
    this.#most = Math.min(Math.max(share, pieceBytes.least), pieceBytes.most);
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.length; ) {
      const some = chunk.subarray(done, done + writeBytes - this.#filled);
      this.#buffer.set(some, this.#filled);
      this.#filled += some.length;
      done += some.length;
      if (this.#filled === writeBytes) await this.#try(() => this.#flush());
    }
  }

  async close(): Promise<void> {
    // Somebody removed the part meanwhile, or the last piece is lost: what the record says stays true.
    if (this.#failed || this.#record.read() !== this.#state) return this.#piece?.file.abort();
    await this.#try(async () => {
      await this.#flush();
      await this.#endPiece();
    });
  }

  async #flush(): Promise<void> {
    if (this.#filled === 0) return;
    const bytes = this.#buffer.subarray(0, this.#filled);
    const { folder, prefix } = this.#record;
    this.#piece ??= { file: await newFile(folder, prefix + this.#state.pieces.length), bytes: 0 };
    const written = this.#piece.file.write(bytes);
    this.#hash.update(bytes);
    await written;
    this.#piece.bytes += bytes.length;
    this.#filled = 0;
    if (this.#piece.bytes >= this.#most) await this.#endPiece();
  }

  async #endPiece(): Promise<void> {
    const piece = this.#piece;
    if (!piece) return;
    await piece.file.close();
    this.#piece = undefined;
    const { version, pieces } = this.#state;
    this.#state = { version, pieces: [...pieces, piece.bytes], hash: this.#hash.state() };
    await this.#record.save(this.#state);
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#failed = true;
      if (isFull(error)) throw await noRoom(error);
      if (error instanceof RealmError) throw error;
      throw new RealmError('storage_failed', `the browser cannot write the model: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

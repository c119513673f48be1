import { platform } from '#platform';
import { RealmError } from '../errors.ts';
import type { OpenFile } from '../platform/platform.ts';
import { refuse } from './refuse.ts';
import type { Reader } from './types.ts';

/** Opens a file on disk; `model_file_missing` when it is not there or cannot be read. */
export async function openFile(path: string | URL): Promise<Reader> {
  const name = String(path);
  return fileReader(await platform.files.open(path).catch(error => missing(name, error)), name);
}

function missing(path: string, error: unknown): never {
  if (error instanceof RealmError) throw error;
  const { code } = error as { code?: string };
  const reasons: Record<string, string> = { ENOENT: 'there is no such file', EISDIR: 'is not a file' };
  const why = reasons[code ?? ''] ?? `cannot be opened (${code})`;
  return refuse('model_file_missing', path, `${why}; give the path of a .gguf file`, error);
}

function fileReader(file: OpenFile, name: string): Reader {
  const { size } = file;
  const readInto = async (offset: number, target: Uint8Array) => {
    for (let done = 0; done < target.length; ) {
      const count = await file.read(target.subarray(done), offset + done);
      if (count === 0) truncated(name, offset, target.length);
      done += count;
    }
  };
  const read = async (offset: number, length: number) => {
    // A caller's length may come from a file that is shorter by now: nothing is allocated for bytes that never were.
    if (offset + length > size) truncated(name, offset, length);
    const bytes = new Uint8Array(length);
    await readInto(offset, bytes);
    return bytes;
  };
  return { name, size, read, readInto, close: () => file.close() };
}

function truncated(name: string, offset: number, length: number): never {
  return refuse('gguf_truncated', name, `the file ends before byte ${offset + length}: it was cut or is being written`);
}

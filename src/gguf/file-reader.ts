import { type FileHandle, open, stat } from 'node:fs/promises';
import { refuse } from './refuse.ts';
import type { Reader } from './types.ts';

/** Bytes of one system call: the kernel takes at most 2 GiB. */
const pieceBytes = 2 ** 30;

/** Opens a file on disk; `model_file_missing` when it is not there or cannot be read. */
export async function openFile(path: string): Promise<Reader> {
  // Looked at before it is opened, because opening a pipe would wait for its writer.
  const kind = await stat(path).catch(error => missing(path, error));
  if (!kind.isFile()) refuse('model_file_missing', path, 'is not a file; give the path of a .gguf file');
  const handle = await open(path, 'r').catch(error => missing(path, error));
  return fileReader(handle, path, (await handle.stat()).size);
}

function missing(path: string, error: NodeJS.ErrnoException): never {
  const why = error.code === 'ENOENT' ? 'there is no such file' : `cannot be opened (${error.code})`;
  return refuse('model_file_missing', path, `${why}; give the path of a .gguf file`, error);
}

function fileReader(handle: FileHandle, name: string, size: number): Reader {
  const readInto = async (offset: number, target: Uint8Array) => {
    for (let done = 0; done < target.length; ) {
      const length = Math.min(pieceBytes, target.length - done);
      const { bytesRead } = await handle.read(target, done, length, offset + done);
      if (bytesRead === 0) truncated(name, offset, target.length);
      done += bytesRead;
    }
  };
  const read = async (offset: number, length: number) => {
    // A caller's length may come from a file that is shorter by now: nothing is allocated for bytes that never were.
    if (offset + length > size) truncated(name, offset, length);
    const bytes = new Uint8Array(length);
    await readInto(offset, bytes);
    return bytes;
  };
  return { name, size, read, readInto, close: () => handle.close() };
}

function truncated(name: string, offset: number, length: number): never {
  return refuse('gguf_truncated', name, `the file ends before byte ${offset + length}: it was cut or is being written`);
}

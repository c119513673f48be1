import { named } from './cursor.ts';
import { openHttp } from './http-reader.ts';
import { type Header, parseHeader } from './parse.ts';
import { readerOf } from './reader-of.ts';
import { refuse } from './refuse.ts';
import { checkSplits, splitCount, splitNames } from './splits.ts';
import type { GgufFile, Reader, TensorInfo } from './types.ts';

/**
 * Opens and validates a model file: a path, an http(s) URL, or readers. Of a split model give the first part's path or URL (the others
 * are found by their names) or the readers of all the parts. Closes what it opened, and the readers it was given, when it fails.
 *
 * Throws `gguf_invalid`, `gguf_truncated`, `gguf_limit`, `gguf_type_unknown`, `model_invalid`, `model_file_missing`, `download_failed`.
 */
export async function openGguf(source: string | Reader | readonly Reader[]): Promise<GgufFile> {
  const readers = await readersOf(source);
  try {
    const first = readerOf({ readers }, 0);
    const header = await parseHeader(first, 0);
    const count = splitCount(header, first.name);
    if (typeof source === 'string' && count > 1) {
      for (const name of splitNames(source, count).slice(1)) readers.push(await openReader(name));
    }
    if (readers.length !== count) refuse('gguf_invalid', first.name, `has ${count} parts; ${readers.length} are given`);
    const headers = [header];
    for (const [part, reader] of readers.entries()) if (part > 0) headers.push(await parseHeader(reader, part));
    checkSplits(headers, readers);
    return assemble(header, headers, readers);
  } catch (error) {
    await closeAll(readers);
    throw error;
  }
}

async function readersOf(source: string | Reader | readonly Reader[]): Promise<Reader[]> {
  if (typeof source === 'string') return [await openReader(source)];
  return 'read' in source ? [source] : [...source];
}

/** The file system is imported only for paths: a browser has none. */
async function openReader(name: string): Promise<Reader> {
  if (/^https?:\/\//.test(name)) return openHttp(name);
  const { openFile } = await import('./file-reader.ts');
  return openFile(name);
}

function assemble(first: Header, headers: readonly Header[], readers: readonly Reader[]): GgufFile {
  const tensors = new Map<string, TensorInfo>();
  for (const tensor of headers.flatMap(header => header.tensors)) {
    if (tensors.has(tensor.name))
      refuse(
        'gguf_invalid',
        readerOf({ readers }, tensor.file).name,
        `${named('tensor', tensor.name)} is in another part too`,
      );
    tensors.set(tensor.name, tensor);
  }
  const { version, alignment, metadata } = first;
  const size = readers.reduce((sum, reader) => sum + reader.size, 0);
  return { version, alignment, metadata, tensors, readers, size, close: () => closeAll(readers) };
}

async function closeAll(readers: readonly Reader[]): Promise<void> {
  await Promise.all(readers.map(reader => reader.close()));
}

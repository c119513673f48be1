import { blobReader } from './blob-reader.ts';
import { BlobWindows } from './blob-windows.ts';
import { named } from './cursor.ts';
import { openFile } from './file-reader.ts';
import { openHttp } from './http-reader.ts';
import { memoryReader } from './memory-reader.ts';
import { type Header, parseHeader } from './parse.ts';
import { readerOf } from './reader-of.ts';
import { refuse } from './refuse.ts';
import { checkSplits, inSplitOrder, splitCount, splitNames } from './splits.ts';
import type { FileSource, GgufFile, Reader, TensorInfo } from './types.ts';

/**
 * Opens and validates a model file: a path, an http(s) or file URL, a Blob, bytes, or readers. Of a split model give the first part's path or URL (the others
 * are found by their names) or the readers of all the parts. Closes what it opened, and the readers it was given, when it fails.
 *
 * Throws `gguf_invalid`, `gguf_truncated`, `gguf_limit`, `gguf_type_unknown`, `model_invalid`, `model_file_missing`, `download_failed`.
 */
export async function openGguf(given: FileSource | Reader | readonly Reader[]): Promise<GgufFile> {
  const source = given instanceof URL ? given.href : given;
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

async function readersOf(source: Exclude<FileSource, URL> | Reader | readonly Reader[]): Promise<Reader[]> {
  if (typeof source === 'string') return [await openReader(source)];
  if (source instanceof Blob || source instanceof Uint8Array || 'read' in source) return [readerFor(source)];
  const windows = new BlobWindows();
  return inSplitOrder<Reader | Blob | Uint8Array>(source).map(each => readerFor(each, windows));
}

function readerFor(source: Blob | Uint8Array | Reader, windows?: BlobWindows): Reader {
  if (source instanceof Blob) return blobReader(source, nameOfSource(source), windows);
  return source instanceof Uint8Array ? memoryReader(source, nameOfSource(source)) : source;
}

/** A path, a URL, the name of a file that was picked; `model` for what has none. */
export function nameOfSource(source: FileSource): string {
  if (typeof source === 'string' || source instanceof URL) return String(source);
  const [first] = Array.isArray(source) ? inSplitOrder(source) : [source];
  return first instanceof Blob && 'name' in first ? String(first.name) : 'model';
}

function openReader(name: string): Promise<Reader> {
  if (/^https?:\/\//.test(name)) return openHttp(name);
  return openFile(name.startsWith('file:') ? new URL(name) : name);
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

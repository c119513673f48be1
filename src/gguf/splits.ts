import { escapeText } from './escape.ts';
import { limits } from './limits.ts';
import { Meta } from './meta.ts';
import type { Header } from './parse.ts';
import { readerOf } from './reader-of.ts';
import { refuse } from './refuse.ts';
import type { Reader } from './types.ts';

/** How many files the model has, by the first one's metadata; 1 when it is not split. */
export function splitCount(header: Header, name: string): number {
  const meta = new Meta(header.metadata, name);
  const count = meta.maybeNumber('split.count', { integer: true, min: 0, max: limits.splits }) ?? 1;
  const part = meta.maybeNumber('split.no', { integer: true, min: 0 }) ?? 0;
  if (count > 1 && part !== 0) refuse('gguf_invalid', name, `is part ${part + 1} of ${count}; open the first part`);
  return Math.max(1, count);
}

/** The names of all `count` parts of which `first` is the first: model-00001-of-00003.gguf and so on, as llama.cpp names them. */
export function splitNames(first: string, count: number): string[] {
  const suffix = (part: number) => `-${String(part).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.gguf`;
  if (!first.endsWith(suffix(1))) {
    refuse('gguf_invalid', first, `is the first of ${count} parts, so its name must end in ${suffix(1)}`);
  }
  const stem = first.slice(0, -suffix(1).length);
  return Array.from({ length: count }, (_, part) => stem + suffix(part + 1));
}

/** The parts in the order that their names say, where all have such names: pickers of files give them in any. */
export function inSplitOrder<T extends object>(parts: readonly T[]): readonly T[] {
  const nameOf = (part: T): string => ('name' in part ? String(part.name) : '');
  if (!parts.every(part => /-\d{5}-of-\d{5}\.gguf$/.test(nameOf(part)))) return parts;
  return parts.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

/** The names of all files of the model whose first one is `first`, by that name alone: without one for parts, it is the only one. */
export function namesOfParts(first: string): string[] {
  const count = Number(/-00001-of-(\d{5})\.gguf$/.exec(first)?.[1] ?? 1);
  return count > 1 && count <= limits.splits ? splitNames(first, count) : [first];
}

/** Checks that the files are the parts that the first one announces, each in its place, with all the tensors. */
export function checkSplits(headers: readonly Header[], readers: readonly Reader[]): void {
  const [firstHeader] = headers;
  if (headers.length === 1 || !firstHeader) return;
  for (const [part, header] of headers.entries()) {
    const { name } = readerOf({ readers }, part);
    const meta = new Meta(header.metadata, name);
    const number = meta.number('split.no', { integer: true });
    const count = meta.number('split.count', { integer: true });
    if (number === part && count === headers.length) continue;
    const message = `says it is part ${number + 1} of ${count}, and is opened as part ${part + 1} of ${headers.length}`;
    refuse('gguf_invalid', name, message);
  }
  const first = readerOf({ readers }, 0).name;
  const declared = new Meta(firstHeader.metadata, first).maybeNumber('split.tensors.count', { integer: true });
  const found = headers.reduce((sum, header) => sum + header.tensors.length, 0);
  if (declared !== undefined && declared !== found) {
    refuse('gguf_invalid', first, `announces ${escapeText(String(declared))} tensors in all parts; they hold ${found}`);
  }
}

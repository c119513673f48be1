import type { TextFormat, ToolFormat } from './types.ts';

export interface Opening {
  /** What is looked for in the answer; absent where calls stand at its very beginning alone. */
  readonly marker?: string;
  /** What stands before the first call of them behind a text. */
  readonly before: string;
}

/** What a call begins with. `text`: how the answer marks its text, which calls of the same kind are parts beside. */
export function openingOf({ begin, call, between }: ToolFormat, text?: TextFormat): Opening {
  if (text && begin === '' && between !== undefined && between.trim() !== '')
    return { marker: between.trim(), before: between };
  const first = call[0];
  const start = (begin + (first?.kind === 'text' ? first.text : '')).trimStart();
  const [marker = ''] = start.split(/\s/);
  return marker === '' || /^(\{|\[\{)/.test(marker) ? { before: begin } : { marker, before: begin };
}

/** What calls in text begin with, written in any of the ways that are read. */
export function markersOf(format: ToolFormat, text?: TextFormat): string[] {
  const ways = [format, ...(format.also ?? []).map(call => ({ ...format, call }))];
  return [...new Set(ways.flatMap(way => openingOf(way, text).marker ?? []))];
}

import { resolve } from 'node:path';
import { z } from 'zod';

/** A program by its name: the version that is current when a request begins, or always the same one. */
export interface ProgramRef {
  readonly name: string;
  readonly version?: number | undefined;
}

/** An absolute path, or the name of a program that was uploaded or comes with Realm. */
export type ProgramPlace = { readonly path: string } | ProgramRef;

const named = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})(?:@([1-9]\d{0,8}))?$/;

/** What `realm.yaml` takes for a file. */
export const isProgramPath = (text: string): boolean => /[/\\]|\.wasm$/i.test(text);

const isRef = (text: string): boolean => named.test(text) && !isProgramPath(text);

/** Under which a program is uploaded. */
export const programName = z.string().refine(text => isRef(text) && !text.includes('@'), {
  error:
    'must be 1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or digit, and not end in .wasm',
});

/** By which a program is chosen. */
export const programRef = z.string().refine(isRef, {
  error: 'must be the name of a program, as summary, or one of its versions, as summary@3',
});

/** Reads what {@link programRef} takes. */
export function toProgramRef(text: string): ProgramRef {
  const [, name = text, version] = named.exec(text) ?? [];
  return { name, version: version === undefined ? undefined : Number(version) };
}

export const programRefText = ({ name, version }: ProgramRef): string =>
  version === undefined ? name : `${name}@${version}`;

/** What `realm.yaml` says of a program. */
export const toProgramPlace = (text: string, base: string): ProgramPlace =>
  isProgramPath(text) ? { path: resolve(base, text) } : toProgramRef(text);

/** As it is written; a file by its absolute path. */
export const programPlaceText = (place: ProgramPlace): string => ('path' in place ? place.path : programRefText(place));

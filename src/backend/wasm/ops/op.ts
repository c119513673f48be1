/** What an operation of the CPU backend is: one description, from which commands are written and read. */
import type { Machine, Station } from '../station.ts';

/** Parameters by name, in the order in which they stand in a command. An address or a number of things is an i32. */
export type Params = Readonly<Record<string, 'i32' | 'f32'>>;

/** What the recorder gives: a value for each parameter. */
export type Fields<P extends Params> = { readonly [K in keyof P]: number };

/** Where each parameter stands among a command's arguments. */
type Places<P extends Params> = { readonly [K in keyof P]: number };

/**
 * Does items [first, first + count) of a command in memory `m`. `ints` and `floats` are two views of the command's
 * arguments: `ints[at.x]` is the parameter x.
 */
export type Run = (
  m: Machine,
  station: Station,
  first: number,
  count: number,
  ints: Int32Array,
  floats: Float32Array,
) => void;

interface Description<P extends Params> {
  readonly name: string;
  readonly params: P;
  /** Items of a command: what threads share among them. */
  items(fields: Fields<P>): number;
  /** Items that a thread claims at once, if not a `turns`th of all. */
  chunk?(fields: Fields<P>, turns: number): number;
  run(at: Places<P>): Run;
}

export interface Op<P extends Params = Params> {
  readonly name: string;
  readonly items: (fields: Fields<P>) => number;
  readonly chunk: (fields: Fields<P>, turns: number) => number;
  readonly run: Run;
  /** Writes the arguments of a command, which begin at word `start`. */
  readonly write: (words: Int32Array, floats: Float32Array, start: number, fields: Fields<P>) => void;
  /** Reads them again, for those who count. */
  readonly read: (words: Int32Array, floats: Float32Array, start: number) => Fields<P>;
}

/** Most parameters of an operation. */
export const mostParams = 19;

export function defineOp<const P extends Params>({ name, params, items, chunk, run }: Description<P>): Op<P> {
  const names: readonly (keyof P & string)[] = Object.keys(params);
  if (names.length > mostParams) throw new Error(`${name}: ${names.length} parameters, room for ${mostParams}`);
  const isFloat = names.map(param => params[param] === 'f32');
  return {
    name,
    items,
    chunk: chunk ?? ((fields, turns) => Math.ceil(items(fields) / turns)),
    run: run(Object.fromEntries(names.map((param, i) => [param, i])) as Places<P>),
    write(words, floats, start, fields) {
      for (let i = 0; i < names.length; i++) (isFloat[i] ? floats : words)[start + i] = fields[names[i]];
    },
    read(words, floats, start) {
      const values = names.map((param, i) => [param, (isFloat[i] ? floats : words)[start + i]]);
      return Object.fromEntries(values) as Fields<P>;
    },
  };
}

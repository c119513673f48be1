/** What an operation of the CPU backend is: one description, from which commands are written and read. */
import type { KernelInstance, ThreadContext } from '../thread-context.ts';

/** Parameters by name, in the order in which they stand in a command. An address or a number of things is an i32. */
export type Params = Readonly<Record<string, 'i32' | 'f32'>>;

/** What the recorder gives: a value for each parameter, in the parameters' order. */
export type Fields<P extends Params> = { readonly [K in keyof P]: number };

/** Where each parameter stands among a command's arguments. */
type Places<P extends Params> = { readonly [K in keyof P]: number };

/**
 * Does items [first, first + count) of a command in memory `m`. `ints` and `floats` are two views of the command's
 * arguments: `ints[at.x]` is the parameter x.
 */
export type Run = (
  m: KernelInstance,
  context: ThreadContext,
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
  /** How many of the `items` a thread claims at once, if not a `turns`th. */
  chunk?(fields: Fields<P>, items: number, turns: number): number;
  run(at: Places<P>): Run;
}

export interface Op<P extends Params = Params> {
  readonly name: string;
  /** Its place in the table; -1: it is not there. */
  number: number;
  readonly items: (fields: Fields<P>) => number;
  readonly chunk: ((fields: Fields<P>, items: number, turns: number) => number) | undefined;
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
  const floatPlaces = names.flatMap((param, i) => (params[param] === 'f32' ? [i] : []));
  const at = Object.fromEntries(names.map((param, i) => [param, i])) as Places<P>;
  let checked = false;
  return { name, number: -1, items, chunk, run: run(at), write, read };

  function write(words: Int32Array, floats: Float32Array, start: number, fields: Fields<P>): void {
    if (!checked) checkOrder(name, names, fields);
    checked = true;
    let i = start;
    // Walking the fields takes a third of the time of asking for each by name: they come in the parameters' order.
    for (const param in fields) words[i++] = fields[param];
    for (let j = 0; j < floatPlaces.length; j++) floats[start + floatPlaces[j]] = fields[names[floatPlaces[j]]];
  }

  function read(words: Int32Array, floats: Float32Array, start: number): Fields<P> {
    const value = (param: string, i: number) => (params[param] === 'f32' ? floats : words)[start + i];
    return Object.fromEntries(names.map((param, i) => [param, value(param, i)])) as Fields<P>;
  }
}

/** Said of an operation's first command only: there is one place in the code, or two, that records it. */
function checkOrder(name: string, names: readonly string[], fields: object): void {
  const given = Object.keys(fields).join(', ');
  if (given !== names.join(', ')) throw new Error(`${name} takes ${names.join(', ')} in this order, not ${given}`);
}

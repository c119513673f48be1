import { Meta, type NumberOptions } from '../gguf/meta.ts';
import { readerOf } from '../gguf/reader-of.ts';
import type { GgufFile } from '../gguf/types.ts';

/** Access to the keys of a file's own architecture, named without its prefix. */
export interface Keys {
  readonly architecture: string;
  readonly meta: Meta;
  number(key: string, options?: NumberOptions): number;
  maybe(key: string, options?: NumberOptions): number | undefined;
  /** A positive integer of at most `max`. */
  size(key: string, max: number): number;
  /** A positive integer that is given once, or for each layer but the same; `missing` stands in for an absent one. */
  uniform(key: string, layers: number, max: number, missing?: number): number;
  /** The largest of what each layer has; some may have 0. */
  largest(key: string, layers: number, max: number, missing?: number): number;
  /** A number for each layer, where the file gives one for all or one for each; `missing` stands in for an absent key. */
  each(key: string, layers: number, options: NumberOptions, missing?: number): readonly number[];
  /** Whether something is so in each layer, if the file says it: an array of booleans, or of numbers that stand for them. */
  flags(key: string, layers: number): readonly boolean[] | undefined;
  fail(key: string, message: string): never;
}

export function keysOf(file: GgufFile): Keys {
  const meta = new Meta(file.metadata, readerOf(file, 0).name);
  const architecture = meta.string('general.architecture');
  const full = (key: string) => `${architecture}.${key}`;
  const fail = (key: string, message: string) => meta.fail(full(key), message);
  // Files count blocks that predict further tokens among their layers; nothing is asked of those.
  const blocksOf = (layers: number) => meta.maybeNumber(full('block_count')) ?? layers;
  const perLayer = (key: string, layers: number, options: NumberOptions) =>
    meta.perLayer(full(key), blocksOf(layers), options).slice(0, layers);
  const each: Keys['each'] = (key, layers, options, missing) =>
    missing !== undefined && !meta.has(full(key)) ? new Array(layers).fill(missing) : perLayer(key, layers, options);
  return {
    architecture,
    meta,
    fail,
    number: (key, options) => meta.number(full(key), options),
    maybe: (key, options) => meta.maybeNumber(full(key), options),
    size: (key, max) => meta.number(full(key), { min: 1, max, integer: true }),
    each,
    largest(key, layers, max, missing) {
      const most = Math.max(...each(key, layers, { min: 0, max, integer: true }, missing));
      return most > 0 ? most : fail(key, 'is 0 in every layer');
    },
    flags(key, layers) {
      const value = meta.metadata.get(full(key));
      if (value === undefined) return undefined;
      if (typeof value !== 'object') return fail(key, 'must be an array');
      const [flags, blocks] = [Array.from(value as ArrayLike<unknown>, Boolean), blocksOf(layers)];
      if (flags.length !== blocks) return fail(key, `has ${flags.length} layers of ${blocks}`);
      return flags.slice(0, layers);
    },
    uniform(key, layers, max, missing) {
      if (missing !== undefined && !meta.has(full(key))) return missing;
      const [first = fail(key, 'is empty'), ...rest] = perLayer(key, layers, { min: 1, max, integer: true });
      if (rest.some(value => value !== first)) fail(key, 'differs between layers, which is not supported');
      return first;
    },
  };
}

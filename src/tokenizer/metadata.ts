import { RealmError } from '../errors.ts';
import type { Metadata } from '../gguf/types.ts';

const PREFIX = 'tokenizer.ggml.';

/** The strings of `tokenizer.ggml.<name>`, or undefined when the file has none. Throws `model_invalid`. */
export function stringList(metadata: Metadata, name: string): string[] | undefined {
  const value = metadata.get(PREFIX + name);
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.some(item => typeof item !== 'string')) throw wrong(name, 'a list of strings');
  return value as string[];
}

/** `count` finite numbers of `tokenizer.ggml.<name>`, or undefined when the file has none. Throws `model_invalid`. */
export function numberList(metadata: Metadata, name: string, count: number): ArrayLike<number> | undefined {
  const value = metadata.get(PREFIX + name);
  if (value === undefined) return undefined;
  const isNumbers = ArrayBuffer.isView(value) && !(value instanceof BigInt64Array || value instanceof BigUint64Array);
  if (!isNumbers) throw wrong(name, 'a list of numbers');
  if (value.length !== count) throw wrong(name, `${count} numbers, one a token, not ${value.length}`);
  for (let i = 0; i < count; i++) if (!Number.isFinite(value[i])) throw wrong(name, 'finite numbers');
  return value as ArrayLike<number>;
}

/** The raw bytes of `tokenizer.ggml.<name>`, or undefined when the file has none. Throws `model_invalid`. */
export function byteList(metadata: Metadata, name: string): Uint8Array | undefined {
  const value = metadata.get(PREFIX + name);
  if (value === undefined || value instanceof Uint8Array) return value;
  if (value instanceof Int8Array) return new Uint8Array(value.buffer, value.byteOffset, value.length);
  throw wrong(name, 'a list of bytes');
}

/** The token id in `tokenizer.ggml.<name>`, or undefined when the file has none. Throws `model_invalid`. */
export function tokenId(metadata: Metadata, name: string, vocabSize: number): number | undefined {
  const value = metadata.get(PREFIX + name);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= vocabSize) {
    throw wrong(name, `a token id below ${vocabSize}`);
  }
  return value;
}

/** The flag `tokenizer.ggml.<name>`, or undefined when the file has none. Throws `model_invalid`. */
export function flag(metadata: Metadata, name: string): boolean | undefined {
  const value = metadata.get(PREFIX + name);
  if (value !== undefined && typeof value !== 'boolean') throw wrong(name, 'true or false');
  return value;
}

/** The string `tokenizer.ggml.<name>`, or undefined when the file has none. Throws `model_invalid`. */
export function text(metadata: Metadata, name: string): string | undefined {
  const value = metadata.get(PREFIX + name);
  if (value !== undefined && typeof value !== 'string') throw wrong(name, 'a string');
  return value;
}

function wrong(name: string, expected: string): RealmError {
  return new RealmError('model_invalid', `${PREFIX}${name} must be ${expected}: use another model file`, {
    param: PREFIX + name,
  });
}

import { leb } from '../../src/sandbox/byte-reader.ts';

/** Assembles programs of more code than the text format's parser likes, and code that it would refuse. */

export const ValueType = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b, funcref: 0x70 } as const;

export interface RawFunction {
  readonly params?: readonly number[];
  readonly results?: readonly number[];
  readonly locals?: readonly (readonly [count: number, type: number])[];
  /** Instructions, without the last `end`. */
  readonly code: readonly number[];
}

export const repeat = (times: number, code: (at: number) => readonly number[]): number[] => {
  const all: number[] = [];
  for (let at = 0; at < times; at++) all.push(...code(at));
  return all;
};

export const op = {
  unreachable: [0x00],
  block: [0x02, 0x40],
  loop: [0x03, 0x40],
  if: [0x04, 0x40],
  else: [0x05],
  end: [0x0b],
  br: (label: number) => [0x0c, ...leb(label)],
  brIf: (label: number) => [0x0d, ...leb(label)],
  brTable: (labels: readonly number[]) => [0x0e, ...leb(labels.length - 1), ...labels.flatMap(leb)],
  call: (index: number) => [0x10, ...leb(index)],
  drop: [0x1a],
  get: (local: number) => [0x20, ...leb(local)],
  set: (local: number) => [0x21, ...leb(local)],
  /** For small numbers, 0 to 63. */
  i32: (value: number) => [0x41, value],
  add: [0x6a],
};

/** The first index of the functions given to `rawProgram`. */
export const FIRST = 2;

/** A program with these functions beside its own two; its generate calls the first of them again and again. */
export function rawProgram(
  functions: readonly RawFunction[],
  exports: readonly (readonly [name: string, index: number])[] = [],
): Uint8Array {
  const { i32 } = ValueType;
  const [first] = functions;
  const call = [...(first?.params ?? []).flatMap(() => op.i32(0)), ...op.call(FIRST)];
  const again = [...op.loop, ...call, ...(first?.results ?? []).flatMap(() => op.drop), ...op.br(0), ...op.end];
  const all: RawFunction[] = [
    { results: [i32], code: op.i32(0) },
    { params: [i32, i32, i32, i32], results: [i32], code: [...again, ...op.unreachable] },
    ...functions,
  ];
  const types = all.map(({ params = [], results = [] }) => [0x60, ...list(params), ...list(results)]);
  return Uint8Array.from([
    ...[0, 97, 115, 109, 1, 0, 0, 0],
    ...section(1, types),
    ...section(3, [...all.keys()].map(leb)),
    ...section(4, [[ValueType.funcref, 1, 10, 10]]),
    ...section(5, [[1, 1, 16]]),
    ...section(7, [
      [...name('memory'), 2, 0],
      [...name('realm_new'), 0, 0],
      [...name('generate'), 0, 1],
      ...exports.map(([text, index]) => [...name(text), 0, ...leb(index)]),
    ]),
    ...section(10, all.map(body)),
  ]);
}

function body({ locals = [], code }: RawFunction): number[] {
  const groups = [...leb(locals.length), ...locals.flatMap(([count, type]) => [...leb(count), type])];
  return [...leb(groups.length + code.length + 1), ...groups, ...code, ...op.end];
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const content = [...leb(items.length), ...items.flat()];
  return [id, ...leb(content.length), ...content];
}

const list = (bytes: readonly number[]): number[] => [...leb(bytes.length), ...bytes];
const name = (text: string): number[] => list([...Buffer.from(text)]);

import { type ByteReader, ModuleError } from './byte-reader.ts';

/** What follows an opcode. */
export const Immediate = {
  none: 0,
  byte: 1,
  /** An index or a constant, LEB128 of any width. */
  number: 2,
  twoNumbers: 3,
  bytes4: 4,
  bytes8: 5,
  bytes16: 6,
  memory: 7,
  memoryAndByte: 8,
  types: 9,
  heapType: 10,
  /** The reader knows these opcodes by name: they have to do with blocks, branches and calls. */
  control: 11,
} as const;

/** Opcodes that the reader handles one by one. */
export const Op = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  returnCall: 0x12,
  returnCallIndirect: 0x13,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  tableGet: 0x25,
  tableSet: 0x26,
  memoryGrow: 0x40,
  refFunc: 0xd2,
} as const;

/** Instead of an immediate: there is no such opcode. */
export const NO_OPCODE = 0xff;

/** Opcodes by number; those behind a prefix p stand from `(p - 0xfa) * 256` on. */
const entries = 5 * 256;
export const immediateOf = new Uint8Array(entries).fill(NO_OPCODE);
export const popsOf = new Uint8Array(entries);
export const pushesOf = new Uint8Array(entries);
/** From this weight on, an instruction is a call, of a function or of the runtime. */
export const CALL_WEIGHT = 24;
/** What an instruction costs a compiler, next to a plain one; what calls pass and what joins carry comes on top. */
export const weightOf = new Uint8Array(entries).fill(1);

/** Where the opcodes behind this prefix stand in the tables; 0 for an opcode of one byte. */
export const prefixStart = (opcode: number): number => (opcode < 0xfb || opcode > 0xfe ? 0 : (opcode - 0xfa) * 256);

/** Memory and table instructions behind the prefix 0xfc, as they stand in the tables. */
export const BulkOp = {
  memoryInit: 2 * 256 + 8,
  dataDrop: 2 * 256 + 9,
  memoryCopy: 2 * 256 + 10,
  memoryFill: 2 * 256 + 11,
  tableInit: 2 * 256 + 12,
  elemDrop: 2 * 256 + 13,
  tableCopy: 2 * 256 + 14,
  tableGrow: 2 * 256 + 15,
  tableFill: 2 * 256 + 17,
} as const;

type Ranges = readonly (number | readonly [first: number, last: number])[];

function define(start: number, immediate: number, pops: number, pushes: number, ranges: Ranges): void {
  for (const range of ranges) {
    const [first, last] = typeof range === 'number' ? [range, range] : range;
    immediateOf.fill(immediate, start + first, start + last + 1);
    popsOf.fill(pops, start + first, start + last + 1);
    pushesOf.fill(pushes, start + first, start + last + 1);
  }
}

// https://webassembly.github.io/spec/core/appendix/index-instructions.html
define(0, Immediate.control, 0, 0, [0x00, [0x02, 0x05], [0x0b, 0x13]]);
define(0, Immediate.none, 0, 0, [0x01]);
define(0, Immediate.none, 1, 0, [0x1a]);
define(0, Immediate.none, 3, 1, [0x1b]);
define(0, Immediate.types, 3, 1, [0x1c]);
define(0, Immediate.number, 0, 1, [0x20, 0x23, 0x3f, 0x41, 0x42, 0xd2]);
define(0, Immediate.number, 1, 0, [0x21, 0x24]);
define(0, Immediate.number, 1, 1, [0x22, 0x25, 0x40]);
define(0, Immediate.number, 2, 0, [0x26]);
define(0, Immediate.memory, 1, 1, [[0x28, 0x35]]);
define(0, Immediate.memory, 2, 0, [[0x36, 0x3e]]);
define(0, Immediate.bytes4, 0, 1, [0x43]);
define(0, Immediate.bytes8, 0, 1, [0x44]);
define(0, Immediate.heapType, 0, 1, [0xd0]);
define(0, Immediate.none, 2, 1, [[0x46, 0x4f], [0x51, 0x66], [0x6a, 0x78], [0x7c, 0x8a], [0x92, 0x98], [0xa0, 0xa6]]); // biome-ignore format: one line a kind
define(0, Immediate.none, 1, 1, [0x45, 0x50, [0x67, 0x69], [0x79, 0x7b], [0x8b, 0x91], [0x99, 0x9f], [0xa7, 0xc4], 0xd1]); // biome-ignore format: one line a kind

// Saturating truncation, bulk memory, tables.
const bulk = prefixStart(0xfc);
define(bulk, Immediate.none, 1, 1, [[0, 7]]);
define(bulk, Immediate.twoNumbers, 3, 0, [8, 10, 12, 14]);
define(bulk, Immediate.number, 0, 0, [9, 13]);
define(bulk, Immediate.number, 3, 0, [11, 17]);
define(bulk, Immediate.number, 2, 1, [15]);
define(bulk, Immediate.number, 0, 1, [16]);

// Vectors.
const simd = prefixStart(0xfd);
define(simd, Immediate.none, 2, 1, [
  14,
  [35, 76],
  [78, 81],
  [101, 102],
  [107, 115],
  [118, 121],
  123,
  130,
  [133, 134],
  [139, 147],
  [149, 153],
  [155, 159],
  [171, 174],
  177,
  [181, 186],
  [188, 191],
  [203, 206],
  209,
  [213, 223],
  [228, 235],
  [240, 247],
]);
define(simd, Immediate.none, 1, 1, [
  [15, 20],
  77,
  83,
  [94, 100],
  [103, 106],
  [116, 117],
  122,
  [124, 129],
  [131, 132],
  [135, 138],
  148,
  [160, 161],
  [163, 164],
  [167, 170],
  [192, 193],
  [195, 196],
  [199, 202],
  [224, 225],
  227,
  [236, 237],
  239,
  [248, 255],
]);
define(simd, Immediate.memory, 1, 1, [[0, 10], 92, 93]);
define(simd, Immediate.memory, 2, 0, [11]);
define(simd, Immediate.bytes16, 0, 1, [12]);
define(simd, Immediate.bytes16, 2, 1, [13]);
define(simd, Immediate.byte, 1, 1, [21, 22, 24, 25, 27, 29, 31, 33]);
define(simd, Immediate.byte, 2, 1, [23, 26, 28, 30, 32, 34]);
define(simd, Immediate.none, 3, 1, [82]);
define(simd, Immediate.memoryAndByte, 2, 1, [[84, 87]]);
define(simd, Immediate.memoryAndByte, 2, 0, [[88, 91]]);

// Measured: memory and time that V8's optimising compiler takes for it, in those of an addition with a load and a store.
const weights: readonly (readonly [weight: number, opcodes: readonly number[]])[] = [
  // Blocks and branches.
  [4, [Op.block, Op.if, Op.else, Op.end, Op.br, Op.brIf, Op.return, Op.returnCall, Op.returnCallIndirect]],
  // Divisions: each checks for its traps; remainders branch once more.
  [8, [0x6d, 0x6e, 0x7f, 0x80]],
  [16, [0x6f, 0x70, 0x81, 0x82]],
  // Conversions to integers, which check their range; those that saturate branch four times.
  [8, [0xa8, 0xa9, 0xaa, 0xab, 0xae, 0xaf, 0xb0, 0xb1]],
  [32, [0, 1, 2, 3, 4, 5, 6, 7].map(opcode => prefixStart(0xfc) + opcode)],
  // Vectors: some are ten instructions of the processor.
  [4, Array.from({ length: 256 }, (_, opcode) => prefixStart(0xfd) + opcode)],
  // Calls, also of the runtime: memory.grow, bulk memory, tables.
  [CALL_WEIGHT, [Op.call, Op.callIndirect, 0x40]],
  [CALL_WEIGHT, [8, 9, 10, 11, 12, 13, 14, 15, 16, 17].map(opcode => prefixStart(0xfc) + opcode)],
  [64, [0x25, 0x26]],
  // Loops are unrolled and peeled.
  [64, [Op.loop]],
];
for (const [weight, opcodes] of weights) for (const opcode of opcodes) weightOf[opcode] = weight;

/** Passes over what follows an opcode. */
export function skipImmediate(reader: ByteReader, immediate: number): void {
  switch (immediate) {
    case Immediate.number:
    case Immediate.heapType:
      reader.skipNumber();
      break;
    case Immediate.memory:
    case Immediate.twoNumbers:
      reader.skipNumber();
      reader.skipNumber();
      break;
    case Immediate.memoryAndByte:
      reader.skipNumber();
      reader.skipNumber();
      reader.skip(1);
      break;
    case Immediate.byte:
      reader.skip(1);
      break;
    case Immediate.bytes4:
      reader.skip(4);
      break;
    case Immediate.bytes8:
      reader.skip(8);
      break;
    case Immediate.bytes16:
      reader.skip(16);
      break;
    case Immediate.types:
      for (let count = reader.u32(); count > 0; count--) reader.valueType();
  }
}

/** Why an opcode that the tables lack is refused. */
export function refuseOpcode(opcode: number, prefix: number, func: number): ModuleError {
  const proposal = proposalOf(opcode, prefix);
  const shown = [...(prefix ? [prefix] : []), opcode].map(byte => `0x${byte.toString(16).padStart(2, '0')}`).join(' ');
  const where = `function ${func}`;
  if (!proposal) return new ModuleError(`${where} has the opcode ${shown}, which is unknown`);
  return new ModuleError(`${where} uses ${proposal} (opcode ${shown}); compile it without`);
}

function proposalOf(opcode: number, prefix: number): string | undefined {
  if (prefix === 0xfb) return 'garbage-collected types';
  if (prefix === 0xfe) return 'threads';
  if (prefix === 0xfd) return opcode >= 0x100 ? 'relaxed SIMD' : undefined;
  if (prefix === 0xfc) return opcode >= 0x13 && opcode <= 0x16 ? 'wide arithmetic' : undefined;
  if ((opcode >= 0x06 && opcode <= 0x0a) || opcode === 0x18 || opcode === 0x19 || opcode === 0x1f) return 'exceptions';
  if (opcode === 0x14 || opcode === 0x15 || (opcode >= 0xd3 && opcode <= 0xd6)) return 'typed function references';
  return undefined;
}

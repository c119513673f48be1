import { BulkOp, immediateOf, Op, prefixStart } from '../opcodes.ts';

/**
 * What running an instruction costs, in units of fuel: 0.1 to 0.25 ns of optimised code each. Lengths
 * of bulk instructions come on top (`instrument.ts`), and what a call or a branch moves.
 */
export const fuelOf = new Uint16Array(immediateOf.length).fill(1);

const costs: readonly (readonly [fuel: number, opcodes: readonly number[]])[] = [
  [0, [Op.block, Op.else, Op.end, 0x01]],
  [4, [Op.call, Op.returnCall, Op.tableGet, Op.tableSet]],
  [6, [Op.callIndirect, Op.returnCallIndirect]],
  // Integer divisions and remainders; divisions and square roots of floats.
  [8, [0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82]],
  [4, [0x91, 0x95, 0x9f, 0xa3]],
  [4, [0xe3, 0xe7, 0xef, 0xf3].map(opcode => prefixStart(0xfd) + opcode)],
  // These call the runtime.
  [16, [Op.refFunc]],
  [32, Object.values(BulkOp)],
  [2000, [Op.memoryGrow]],
];
for (const [fuel, opcodes] of costs) for (const opcode of opcodes) fuelOf[opcode] = fuel;

/** A call of the host, its own time apart. */
export const HOST_CALL_FUEL = 200;
/** Values passed, carried by a branch, or cleared as locals, for a unit. */
export const VALUES_PER_FUEL = 4;
/** Of a bulk instruction's length. */
export const BYTES_PER_FUEL = 16;
/** An entry of a table costs this many. */
export const FUEL_PER_ENTRY = 4;

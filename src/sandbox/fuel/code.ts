import { leb, signedLeb } from '../byte-reader.ts';
import { Op } from '../opcodes.ts';
import { BYTES_PER_FUEL, FUEL_PER_ENTRY } from './costs.ts';
import type { FuelLayout } from './layout.ts';

const I64 = { const: 0x42, ltS: 0x53, sub: 0x7d, shl: 0x86, shrU: 0x88, extendI32U: 0xad } as const;
const localGet = 0x20;
const noType = 0x40;

/** Takes `fuel` units, and asks for more when there are none left: before the code that they are for. */
export function charge({ fuel: global, refuel }: FuelLayout, fuel: number): number[] {
  return spend(global, refuel, [I64.const, ...signedLeb(fuel)]);
}

/** Bodies of functions that charge for a bulk instruction of so many bytes, or entries, and return their number. */
export function lengthCharges({ fuel, refuel }: FuelLayout): number[][] {
  const length = [localGet, 0, I64.extendI32U];
  const bytes = [...length, I64.const, ...signedLeb(Math.log2(BYTES_PER_FUEL)), I64.shrU];
  const entries = [...length, I64.const, ...signedLeb(Math.log2(FUEL_PER_ENTRY)), I64.shl];
  return [bytes, entries].map(units => [0, ...spend(fuel, refuel, units), localGet, 0, Op.end]);
}

function spend(global: number, refuel: number, units: readonly number[]): number[] {
  const fuel = leb(global);
  const take = [Op.globalGet, ...fuel, ...units, I64.sub, Op.globalSet, ...fuel];
  const isGone = [Op.globalGet, ...fuel, I64.const, 0, I64.ltS];
  return [...take, ...isGone, Op.if, noType, Op.call, ...leb(refuel), Op.end];
}

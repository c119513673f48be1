import { leb, signedLeb } from '../byte-reader.ts';
import { Op } from '../opcodes.ts';
import { BYTES_PER_FUEL, FUEL_PER_ENTRY } from './costs.ts';
import type { FuelLayout } from './layout.ts';

const I64 = { const: 0x42, ltS: 0x53, sub: 0x7d, shl: 0x86, shrU: 0x88, extendI32U: 0xad } as const;
const noType = 0x40;
/** A group of locals: one i64. */
export const oneI64 = [1, 0x7e] as const;

export interface ChargeCode {
  readonly bytes: readonly number[];
  /** Where in them the branch stands that is hardly ever taken. */
  readonly unlikely: number;
}

/** Takes `fuel` units, before the code that they are for, and calls `refuel` when there are none left. */
export function charge(layout: FuelLayout, fuel: number, local: number): ChargeCode {
  const before = [Op.globalGet, ...leb(layout.fuel)];
  return spend(layout, before, [I64.const, ...signedLeb(fuel)], local);
}

/** The same where the local holds what the global does: no load waits for the last store. */
export function chargeLocal(layout: FuelLayout, fuel: number, local: number): ChargeCode {
  const before = [Op.localGet, ...leb(local)];
  return spend(layout, before, [I64.const, ...signedLeb(fuel)], local, loadLocal(layout, local));
}

export function loadLocal({ fuel }: FuelLayout, local: number): number[] {
  return [Op.globalGet, ...leb(fuel), Op.localSet, ...leb(local)];
}

/** Bodies of functions that charge for a bulk instruction of so many bytes, or entries, and return their number. */
export function lengthCharges(layout: FuelLayout): number[][] {
  const length = [Op.localGet, 0, I64.extendI32U];
  const bytes = [...length, I64.const, ...signedLeb(Math.log2(BYTES_PER_FUEL)), I64.shrU];
  const entries = [...length, I64.const, ...signedLeb(Math.log2(FUEL_PER_ENTRY)), I64.shl];
  const before = [Op.globalGet, ...leb(layout.fuel)];
  return [bytes, entries].map(units => [
    1,
    ...oneI64,
    ...spend(layout, before, units, 1).bytes,
    Op.localGet,
    0,
    Op.end,
  ]);
}

function spend(
  { fuel, refuel }: FuelLayout,
  before: readonly number[],
  units: readonly number[],
  local: number,
  afterwards: readonly number[] = [],
): ChargeCode {
  const take = [...before, ...units, I64.sub, Op.localTee, ...leb(local), Op.globalSet, ...leb(fuel)];
  const ask = [...take, Op.localGet, ...leb(local), I64.const, 0, I64.ltS];
  const bytes = [...ask, Op.if, noType, Op.call, ...leb(refuel), ...afterwards, Op.end];
  return { bytes, unlikely: ask.length };
}

import { type Bytes, concatenate } from '../byte-buffer.ts';
import { ByteReader, leb, ModuleError } from '../byte-reader.ts';
import type { Instruction } from '../function-bodies.ts';
import { BulkOp, Op } from '../opcodes.ts';
import { type Charge, chargesOf } from './charges.ts';
import { charge, chargeLocal, loadLocal, oneI64 } from './code.ts';
import type { FuelLayout } from './layout.ts';
import { type Callees, type Loop, readSegments } from './segments.ts';

/** In a body: the bytes from `at` to `end` become these. */
interface Edit {
  readonly at: number;
  readonly end: number;
  readonly bytes: Bytes;
  /** Where in these a branch stands that is hardly ever taken. */
  readonly unlikely?: number;
}

export interface Rewritten {
  readonly body: Uint8Array;
  /** Where in it such branches stand. */
  readonly unlikely: readonly number[];
}

/** The body of the guest's function `index`, charged and with new numbers. */
export function rewriteBody(body: Uint8Array, index: number, layout: FuelLayout, callees: Callees): Rewritten {
  const renumbered: Edit[] = [];
  let highest = -1;
  const { segments, locals } = readSegments(body, index, layout.bodies, callees, instruction => {
    const edit = renumber(body, instruction, layout);
    if (edit) renumbered.push(edit);
    if (namesLocal(instruction)) highest = Math.max(highest, operandOf(body, instruction));
  });
  // The one behind its own is not for it.
  if (highest >= locals) throw new ModuleError(`function ${index} has no local ${highest}`);
  if (callees.leaves.has(index)) return apply(body, renumbered);
  const charges = new ChargeEdits(layout, locals).of(body, chargesOf(segments));
  // Charges come before what they are for.
  return apply(
    body,
    [...charges, ...renumbered].sort((a, b) => a.at - b.at),
  );
}

const byBytes: readonly number[] = [BulkOp.memoryInit, BulkOp.memoryCopy, BulkOp.memoryFill];
const byEntries: readonly number[] = [BulkOp.tableInit, BulkOp.tableCopy, BulkOp.tableFill, BulkOp.tableGrow];

function renumber(body: Uint8Array, instruction: Instruction, layout: FuelLayout): Edit | undefined {
  const { entry, at, end } = instruction;
  const operand = () => operandOf(body, instruction);
  switch (entry) {
    case Op.call:
    case Op.returnCall:
    case Op.refFunc:
      return { at: at + 1, end, bytes: layout.function(operand()) };
    case Op.globalGet:
    case Op.globalSet:
      layout.checkGlobal(operand());
      return undefined;
    case Op.memoryGrow:
      layout.checkMemory(operand());
      return { at, end, bytes: [Op.call, ...leb(layout.grow)] };
  }
  // The length lies on top of the stack.
  const length = byBytes.includes(entry) ? layout.chargeBytes : byEntries.includes(entry) ? layout.chargeEntries : 0;
  return length ? { at, end: at, bytes: [Op.call, ...leb(length)] } : undefined;
}

const namesLocal = ({ entry }: Instruction): boolean => entry >= Op.localGet && entry <= Op.localTee;

function operandOf(body: Uint8Array, { at }: Instruction): number {
  const reader = new ByteReader(body);
  reader.at = at + 1;
  return reader.u32();
}

class ChargeEdits {
  readonly #layout: FuelLayout;
  /** An i64 behind the function's own locals. */
  readonly #local: number;
  readonly #loaded = new Set<Loop>();

  constructor(layout: FuelLayout, locals: number) {
    this.#layout = layout;
    this.#local = locals;
  }

  of(body: Uint8Array, charges: readonly Charge[]): Edit[] {
    const reader = new ByteReader(body);
    const groups: Edit = { at: 0, end: 0, bytes: leb(reader.u32() + 1) };
    // The function's entry is charged first, where the locals end.
    const local = insert(charges[0]!.at, oneI64);
    return [{ ...groups, end: reader.at }, local, ...charges.flatMap(each => this.#edits(each))];
  }

  /** Loops that call nothing keep the fuel in the local, too. */
  #edits({ at, fuel, loop }: Charge): Edit[] {
    if (!loop || loop.calls) return [{ at, end: at, ...charge(this.#layout, fuel, this.#local) }];
    const own = { at, end: at, ...chargeLocal(this.#layout, fuel, this.#local) };
    const outermost = outermostWithoutCalls(loop);
    if (this.#loaded.has(outermost)) return [own];
    this.#loaded.add(outermost);
    return [insert(outermost.at, loadLocal(this.#layout, this.#local)), own];
  }
}

function outermostWithoutCalls(loop: Loop): Loop {
  let outermost = loop;
  while (outermost.outer && !outermost.outer.calls) outermost = outermost.outer;
  return outermost;
}

const insert = (at: number, bytes: Bytes): Edit => ({ at, end: at, bytes });

function apply(body: Uint8Array, edits: readonly Edit[]): Rewritten {
  const parts: Bytes[] = [];
  const branches: number[] = [];
  let from = 0;
  let length = 0;
  for (const { at, end, bytes, unlikely } of edits) {
    parts.push(body.subarray(from, at), bytes);
    length += at - from;
    if (unlikely !== undefined) branches.push(length + unlikely);
    length += bytes.length;
    from = end;
  }
  return { body: concatenate([...parts, body.subarray(from)]), unlikely: branches };
}

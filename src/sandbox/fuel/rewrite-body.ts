import { type Bytes, concatenate } from '../byte-buffer.ts';
import { ByteReader, leb } from '../byte-reader.ts';
import type { Instruction } from '../function-bodies.ts';
import { BulkOp, Op } from '../opcodes.ts';
import { type Charge, chargesOf } from './charges.ts';
import { charge } from './code.ts';
import { HOST_CALL_FUEL } from './costs.ts';
import type { FuelLayout } from './layout.ts';
import { readSegments, type Segment } from './segments.ts';

/** In a body: the bytes from `at` to `end` become these. */
interface Edit {
  readonly at: number;
  readonly end: number;
  readonly bytes: Bytes;
}

/** What the functions cost that charge nothing themselves, by the guest's numbers: their callers pay. */
export type LeafFuel = ReadonlyMap<number, number>;

const byBytes: readonly number[] = [BulkOp.memoryInit, BulkOp.memoryCopy, BulkOp.memoryFill];
const byEntries: readonly number[] = [BulkOp.tableInit, BulkOp.tableCopy, BulkOp.tableFill, BulkOp.tableGrow];

/** The body of the guest's function `index`, charged and with new numbers. */
export function rewriteBody(body: Uint8Array, index: number, layout: FuelLayout, leaves: LeafFuel): Uint8Array {
  const { segments, edits } = readBody(body, index, layout, leaves);
  const charges = leaves.has(index) ? [] : chargesOf(segments).map(each => chargeEdit(each, layout));
  return apply(body, merge(charges, edits));
}

/** A function's segments, what has to change in it, and whether it calls any. */
export function readBody(
  body: Uint8Array,
  index: number,
  layout: FuelLayout,
  leaves: LeafFuel = new Map(),
): { segments: readonly Segment[]; edits: Edit[]; calls: boolean } {
  const operands = new ByteReader(body);
  const edits: Edit[] = [];
  let calls = false;
  const segments = readSegments(body, index, layout.bodies, ({ entry, at, end }: Instruction) => {
    operands.at = at + 1;
    switch (entry) {
      case Op.callIndirect:
      case Op.returnCallIndirect:
        calls = true;
        break;
      case Op.call:
      case Op.returnCall: {
        calls = true;
        const callee = operands.u32();
        edits.push({ at: at + 1, end, bytes: layout.function(callee) });
        return callee < layout.imported ? HOST_CALL_FUEL : (leaves.get(callee) ?? 0);
      }
      case Op.refFunc:
        edits.push({ at: at + 1, end, bytes: layout.function(operands.u32()) });
        break;
      case Op.globalGet:
      case Op.globalSet:
        layout.checkGlobal(operands.u32());
        break;
      case Op.memoryGrow:
        edits.push({ at, end, bytes: [Op.call, ...leb(layout.grow)] });
        break;
      default: {
        // The length lies on top of the stack.
        const by = byBytes.includes(entry) ? layout.chargeBytes : byEntries.includes(entry) ? layout.chargeEntries : -1;
        if (by >= 0) edits.push({ at, end: at, bytes: [Op.call, ...leb(by)] });
      }
    }
    return 0;
  });
  return { segments, edits, calls };
}

const chargeEdit = ({ at, fuel }: Charge, layout: FuelLayout): Edit => ({ at, end: at, bytes: charge(layout, fuel) });

/** Charges come before what they are for. */
function merge(charges: readonly Edit[], edits: readonly Edit[]): Edit[] {
  return [...charges, ...edits].sort((a, b) => a.at - b.at);
}

function apply(body: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const parts: Bytes[] = [];
  let from = 0;
  for (const { at, end, bytes } of edits) {
    parts.push(body.subarray(from, at), bytes);
    from = end;
  }
  return concatenate([...parts, body.subarray(from)]);
}

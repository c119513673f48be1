import { assignSlots } from '../../reference/routing.ts';
import { defineOp } from './op.ts';
import { intsAt } from './routing.ts';

/** Gives every choice a slot, those of an expert side by side. One item. */
export const assign = defineOp({
  name: 'assign',
  params: {
    rows: 'i32',
    /** Experts that a row takes. */
    topK: 'i32',
    experts: 'i32',
    /** [rows, topK]. */
    chosen: 'i32',
    /** [rows, topK]: the slot of a choice. */
    slotOf: 'i32',
    /** [slots]: the row of a slot. */
    tokenOf: 'i32',
    /** [experts + 1]: where an expert's slots begin. */
    starts: 'i32',
  },
  items: () => 1,
  run: at => (m, _context, _first, _count, ints) => {
    const slots = ints[at.rows] * ints[at.topK];
    assignSlots(intsAt(m, ints[at.chosen], slots), ints[at.topK], {
      slotOf: intsAt(m, ints[at.slotOf], slots),
      tokenOf: intsAt(m, ints[at.tokenOf], slots),
      starts: intsAt(m, ints[at.starts], ints[at.experts] + 1),
    });
  },
});

import type { Loop, Segment } from './segments.ts';

/** What is charged at a place of a body, for the code that follows. */
export interface Charge {
  readonly at: number;
  readonly fuel: number;
  readonly loop: Loop | undefined;
}

/**
 * What a charge may hold for code that perhaps does not run. It saves a charge for each small branch; an interpreter's
 * switch, whose arms together are large, is charged arm by arm.
 */
const SLACK = 64;
/** An arm of no more than this is always charged with what leads to it: its own charge would cost more. */
const SMALL_ARM = 8;

interface Head extends Charge {
  fuel: number;
  /** How much of it is for code that perhaps does not run. */
  slack: number;
}

/** Where a function is charged, in order. Deterministic: the same code always costs the same. */
export function chargesOf(segments: readonly Segment[]): Charge[] {
  const heads = new Map<Segment, Head>();
  const charges: Head[] = [];
  for (const segment of segments) {
    const { at, kind, over, loop, fuel } = segment;
    const head = over && heads.get(over);
    // Function entries and loop headers always charge: no recursion and no loop is free.
    if (head && kind !== 'loop' && fuel <= roomOf(head, kind)) {
      heads.set(segment, head);
      head.fuel += fuel;
      head.slack += fuel;
    } else {
      const own = { at, loop, fuel: Math.max(fuel, 1), slack: 0 };
      heads.set(segment, own);
      charges.push(own);
    }
  }
  return charges;
}

function roomOf({ slack }: Head, kind: Segment['kind']): number {
  return Math.max(SLACK - slack, kind === 'arm' ? SMALL_ARM : 0);
}

/** What a call costs its caller when the function takes no fuel itself; undefined: it has to. */
export function leafFuel(segments: readonly Segment[]): number | undefined {
  const fuel = segments.reduce((sum, each) => sum + each.fuel, 0);
  return fuel <= SLACK && segments.every(each => each.kind !== 'loop') ? fuel : undefined;
}

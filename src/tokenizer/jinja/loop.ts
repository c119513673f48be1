import type { Meter } from './limits.ts';
import { Callable, equal, TemplateError, Thing, Tuple, type Value } from './values.ts';

/** The variable `loop` of a loop over `items`; `again` runs a recursive loop's body over others. */
export function loopVariable(
  items: readonly Value[],
  depth: number,
  meter: Meter,
  again: ((items: Value) => Value) | undefined,
): { thing: Thing | Callable; go(i: number): void } {
  let at = 0;
  let previous: Tuple | undefined;
  const fixed: [string, Value][] = [
    ['length', BigInt(items.length)],
    ['depth', BigInt(depth + 1)],
    ['depth0', BigInt(depth)],
    [
      'cycle',
      new Callable('cycle', ({ positional }) => {
        if (positional.length === 0) throw new TemplateError('no items for cycling given');
        return positional[at % positional.length];
      }),
    ],
    [
      'changed',
      new Callable('changed', ({ positional }) => {
        const now = new Tuple(positional);
        const same = previous !== undefined && equal(previous, now, meter);
        previous = now;
        return !same;
      }),
    ],
  ];
  const attributes = new Map<string, Value>(fixed);
  const thing = again
    ? new Callable('loop', ({ positional: [inner] }) => again(inner), attributes)
    : new Thing('LoopContext', attributes);
  const shown = thing.attributes as Map<string, Value>;
  return {
    thing,
    go(i) {
      at = i;
      shown.set('index', BigInt(i + 1));
      shown.set('index0', BigInt(i));
      shown.set('revindex', BigInt(items.length - i));
      shown.set('revindex0', BigInt(items.length - i - 1));
      shown.set('first', i === 0);
      shown.set('last', i === items.length - 1);
      shown.set('previtem', items[i - 1]);
      shown.set('nextitem', items[i + 1]);
    },
  };
}

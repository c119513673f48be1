/** What waits for others, by their ids. */
interface Waiting {
  readonly id: string;
  readonly after: ReadonlySet<string>;
}

/** In an order in which each comes after what it waits for, as near to the given one as can be; the rest, and a circle in it, where there is none. */
export function inOrder<T extends Waiting>(all: readonly T[]): { order: readonly T[]; circle?: readonly T[] } {
  const order: T[] = [];
  const done = new Set<string>();
  let left = [...all];
  for (;;) {
    const ready = left.find(each => [...each.after].every(id => done.has(id)));
    if (!ready) break;
    order.push(ready);
    done.add(ready.id);
    left = left.filter(each => each !== ready);
  }
  return left.length === 0 ? { order } : { order: [...order, ...left], circle: circleIn(left) };
}

/** All of these wait for another of them; going from one to the next must come back. */
function circleIn<T extends Waiting>(all: readonly T[]): T[] {
  const path: T[] = [];
  let at = all[0]!;
  while (!path.includes(at)) {
    path.push(at);
    at = all.find(({ id }) => at.after.has(id))!;
  }
  return path.slice(path.indexOf(at));
}

/** A binary heap that can also remove and re-order items anywhere in it: O(log n) each. */
export class Heap<Item extends object> {
  readonly #items: Item[] = [];
  readonly #places = new Map<Item, number>();
  readonly #before: (a: Item, b: Item) => boolean;

  constructor(before: (a: Item, b: Item) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  first(): Item | undefined {
    return this.#items[0];
  }

  has(item: Item): boolean {
    return this.#places.has(item);
  }

  /** The items in no particular order. */
  values(): Iterable<Item> {
    return this.#items.values();
  }

  add(item: Item): void {
    this.#items.push(item);
    this.#up(this.#items.length - 1, item);
  }

  remove(item: Item): void {
    const place = this.#places.get(item);
    if (place === undefined) return;
    this.#places.delete(item);
    const last = this.#items.pop()!;
    if (last !== item) this.#settle(place, last);
  }

  /** Puts an item whose key has changed where it belongs. */
  update(item: Item): void {
    const place = this.#places.get(item);
    if (place !== undefined) this.#settle(place, item);
  }

  #settle(place: number, item: Item): void {
    this.#up(place, item);
    this.#down(this.#places.get(item)!, item);
  }

  #up(place: number, item: Item): void {
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = this.#items[parent];
      if (above === undefined || !this.#before(item, above)) break;
      this.#put(place, above);
      place = parent;
    }
    this.#put(place, item);
  }

  #down(place: number, item: Item): void {
    for (;;) {
      const child = this.#firstChild(place);
      const below = this.#items[child];
      if (below === undefined || !this.#before(below, item)) break;
      this.#put(place, below);
      place = child;
    }
    this.#put(place, item);
  }

  /** The place of the child that goes before the other; one behind the last where there is none. */
  #firstChild(place: number): number {
    const [child, next] = [2 * place + 1, 2 * place + 2];
    if (next >= this.#items.length) return child;
    const [one, other] = [this.#items[child], this.#items[next]];
    return one !== undefined && other !== undefined && this.#before(other, one) ? next : child;
  }

  #put(place: number, item: Item): void {
    this.#items[place] = item;
    this.#places.set(item, place);
  }
}

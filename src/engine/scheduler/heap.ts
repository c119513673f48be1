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
      if (!this.#before(item, this.#items[parent])) break;
      this.#put(place, this.#items[parent]);
      place = parent;
    }
    this.#put(place, item);
  }

  #down(place: number, item: Item): void {
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#items.length) break;
      if (child + 1 < this.#items.length && this.#before(this.#items[child + 1], this.#items[child])) child++;
      if (!this.#before(this.#items[child], item)) break;
      this.#put(place, this.#items[child]);
      place = child;
    }
    this.#put(place, item);
  }

  #put(place: number, item: Item): void {
    this.#items[place] = item;
    this.#places.set(item, place);
  }
}

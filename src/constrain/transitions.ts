/** A cell that nobody has found out yet, and one where nothing follows. */
export const unknown = 0;
export const none = -1;

/**
 * What follows each state of an automaton by class of bytes, in one flat array: walking it touches no objects. A state is
 * the place of its row, so a cell leads straight to the next row; no state has place 0. Behind a row's cells stand what
 * the state costs a mask that comes by, and the last mask that did.
 */
export class Transitions {
  readonly stride: number;
  /** Behind the place of a state. */
  readonly costAt: number;
  readonly markAt: number;
  /** [room, stride]; another array once more room is needed. */
  cells: Int32Array;
  #end: number;

  constructor(classes: number) {
    this.costAt = classes;
    this.markAt = classes + 1;
    this.stride = classes + 2;
    this.cells = new Int32Array(64 * this.stride);
    this.#end = this.stride;
  }

  /** A new state; what follows it is unknown. */
  add(cost: number): number {
    const state = this.#end;
    this.#end += this.stride;
    if (this.#end > this.cells.length) {
      const more = new Int32Array(this.cells.length * 2);
      more.set(this.cells);
      this.cells = more;
    }
    this.cells[state + this.costAt] = cost;
    return state;
  }

  /** Forgets all states. */
  clear(): void {
    this.cells = new Int32Array(64 * this.stride);
    this.#end = this.stride;
  }
}

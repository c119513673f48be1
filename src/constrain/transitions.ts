/** A cell that nobody has found out yet, and one where nothing follows. */
export const unknown = 0;
export const none = -1;

/**
 * What follows each state of an automaton by class of bytes, in one flat array: walking it touches no objects. A state is
 * the place of its row, so a cell leads straight to the next row; no state has place 0.
 */
export class Transitions {
  readonly stride: number;
  /** [room, stride]; another array once more room is needed. */
  cells: Int32Array;
  #end: number;

  constructor(classes: number) {
    this.stride = classes;
    this.cells = new Int32Array(64 * classes);
    this.#end = classes;
  }

  /** A new state, of which nothing is known. */
  add(): number {
    const state = this.#end;
    this.#end += this.stride;
    if (this.#end > this.cells.length) {
      const more = new Int32Array(this.cells.length * 2);
      more.set(this.cells);
      this.cells = more;
    }
    return state;
  }

  /** Forgets all states. */
  clear(): void {
    this.cells = new Int32Array(64 * this.stride);
    this.#end = this.stride;
  }
}

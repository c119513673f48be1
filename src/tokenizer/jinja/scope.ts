import type { Value } from './values.ts';

/** Names and their values, inside those of another scope. */
export class Scope {
  readonly #values = new Map<string, Value>();
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  get(name: string): Value {
    if (this.#outer === undefined || this.#values.has(name)) return this.#values.get(name);
    return this.#outer.get(name);
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }
}

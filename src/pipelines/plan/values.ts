import { fromJson } from '../../tokenizer/jinja/data.ts';
import type { Value } from '../../tokenizer/jinja/values.ts';
import { toCel } from '../cel/values.ts';
import type { JsonSchema } from '../schema/types.ts';

interface Entry {
  readonly json: unknown;
  readonly schema: JsonSchema;
  cel?: { readonly value: unknown };
  jinja?: { readonly value: Value };
}

/** What the names of a run stand for: the input, outputs of steps, and the items of the maps around. Converted once. */
export class Values {
  readonly #parent: Values | undefined;
  readonly #entries = new Map<string, Entry>();

  constructor(parent?: Values) {
    this.#parent = parent;
  }

  set(name: string, json: unknown, schema: JsonSchema): void {
    this.#entries.set(name, { json, schema });
  }

  readonly json = (name: string): unknown => this.#entry(name).json;

  readonly cel = (name: string): unknown => {
    const entry = this.#entry(name);
    entry.cel ??= { value: toCel(entry.json, entry.schema) };
    return entry.cel.value;
  };

  readonly jinja = (name: string): Value => {
    const entry = this.#entry(name);
    entry.jinja ??= { value: fromJson(entry.json) };
    return entry.jinja.value;
  };

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry) return entry;
    if (!this.#parent) throw new Error(`there is no value '${name}'`);
    return this.#parent.#entry(name);
  }
}

import { concatenate } from '../byte-buffer.ts';
import { ByteReader, leb } from '../byte-reader.ts';
import { ExternalKind, type ModuleLayout, readModule, SectionId, sectionOrder } from '../module-reader.ts';
import { Op } from '../opcodes.ts';
import { leafFuel } from './charges.ts';
import { lengthCharges } from './code.ts';
import { FuelLayout } from './layout.ts';
import { type Rewritten, rewriteBody } from './rewrite-body.ts';
import { extend, listOf, renumber, sized } from './sections.ts';
import { type Callees, readSegments } from './segments.ts';

/** Names of what is added; no guest may use them (`validate.ts`). */
export const FUEL = 'realm:fuel';
export const START = 'realm:start';

/**
 * The same program, which counts what it computes: V8 has no fuel of its own. Every function entry and every loop header
 * takes what the code behind it costs from the i64 global that is exported as `realm:fuel`; below zero it calls the
 * import `refuel` (module `realm:fuel`), which suspends it until the global is not below zero any more: a bulk
 * instruction may take many slices at once. Bulk instructions are charged by their length before
 * they run, and `memory.grow` is a call of the import `grow`. The start function is exported as `realm:start` and does
 * not start.
 *
 * `module` was validated and limited (`validate.ts`). Throws ModuleError where it names what it does not have.
 */
export function instrument(module: Uint8Array): Uint8Array<ArrayBuffer> {
  const sections = new SectionsOf(readModule(module)).instrumented();
  const ordered = order.flatMap(id => {
    const body = sections.get(id);
    return body ? [[id], sized(body)] : [];
  });
  return concatenate([[0, 97, 115, 109, 1, 0, 0, 0], ...ordered]);
}

/** The hints stand before the code that they are for. */
const order = sectionOrder.flatMap(id => (id === SectionId.code ? [SectionId.custom, id] : [id]));

const value = { i32: 0x7f, i64: 0x7e } as const;

class SectionsOf {
  readonly #module: ModuleLayout;
  readonly #layout: FuelLayout;
  /** Functions that others than direct calls reach. */
  readonly #named = new Set<number>();
  readonly #sections: Map<number, Uint8Array>;

  constructor(module: ModuleLayout) {
    this.#module = module;
    this.#layout = new FuelLayout(module);
    this.#sections = new Map(module.sections.map(({ id, body }) => [id, body]));
  }

  instrumented(): ReadonlyMap<number, Uint8Array> {
    const { actionType, lengthType, fuel } = this.#layout;
    const length = leb(lengthType);
    const action = [0x60, 0, 0];
    const lengthToLength = [0x60, 1, value.i32, 1, value.i32];
    const refuel = [...name(FUEL), ...name('refuel'), ExternalKind.function, ...leb(actionType)];
    const grow = [...name(FUEL), ...name('grow'), ExternalKind.function, ...length];
    this.#extend(SectionId.type, { last: [action, lengthToLength] });
    this.#extend(SectionId.import, { first: [refuel, grow] });
    this.#extend(SectionId.function, { last: [length, length] });
    for (const id of [SectionId.global, SectionId.export, SectionId.element] as const) this.#renumber(id);
    this.#extend(SectionId.global, { last: [[value.i64, 1, 0x42, 0, Op.end]] });
    const global = [...name(FUEL), ExternalKind.global, ...leb(fuel)];
    this.#extend(SectionId.export, { last: [global, ...this.#start()] });
    this.#code();
    return this.#sections;
  }

  /** The start function's export, if there is one. */
  #start(): number[][] {
    const start = this.#sections.get(SectionId.start);
    if (!start) return [];
    this.#sections.delete(SectionId.start);
    const index = new ByteReader(start).u32();
    this.#named.add(index);
    return [[...name(START), ExternalKind.function, ...this.#layout.function(index)]];
  }

  #code(): void {
    const { imported } = this.#layout;
    const callees = { imported, leaves: this.#leaves() };
    const rewritten = this.#module.bodies.map((body, at) => rewriteBody(body, imported + at, this.#layout, callees));
    const bodies = rewritten.map(each => each.body);
    this.#sections.set(SectionId.code, listOf([...bodies, ...lengthCharges(this.#layout)].map(sized)));
    this.#sections.set(SectionId.custom, this.#hints(rewritten));
  }

  /**
   * Tells V8 which branches are hardly ever taken, so that calls of `refuel` cost no registers elsewhere
   * (https://github.com/WebAssembly/branch-hinting).
   */
  #hints(rewritten: readonly Rewritten[]): Uint8Array {
    const functions = rewritten.flatMap(({ unlikely }, at) => {
      const hints = unlikely.map(offset => [...leb(offset), 1, 0]);
      const index = this.#layout.function(this.#layout.imported + at);
      return unlikely.length > 0 ? [concatenate([index, listOf(hints)])] : [];
    });
    return concatenate([name('metadata.code.branch_hint'), listOf(functions)]);
  }

  #leaves(): Callees['leaves'] {
    const leaves = new Map<number, number>();
    const { imported } = this.#layout;
    const callees = { imported, leaves: new Map() };
    for (const [at, body] of this.#module.bodies.entries()) {
      const index = imported + at;
      if (this.#named.has(index) || body.length > MAX_LEAF_BYTES) continue;
      const { segments, calls } = readSegments(body, index, this.#layout.bodies, callees);
      const fuel = calls ? undefined : leafFuel(segments);
      if (fuel !== undefined) leaves.set(index, fuel);
    }
    return leaves;
  }

  #renumber(id: Parameters<typeof renumber>[1]): void {
    const body = this.#sections.get(id);
    if (body)
      this.#sections.set(
        id,
        renumber(body, id, this.#layout, index => this.#named.add(index)),
      );
  }

  #extend(id: number, items: Parameters<typeof extend>[1]): void {
    this.#sections.set(id, extend(this.#sections.get(id), items));
  }
}

/** Longer functions are never leaves; it saves reading them twice. */
const MAX_LEAF_BYTES = 256;

const name = (text: string): number[] => [text.length, ...new TextEncoder().encode(text)];

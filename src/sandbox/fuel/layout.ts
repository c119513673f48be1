import { ByteReader, leb, ModuleError } from '../byte-reader.ts';
import { contextOf } from '../compile-cost.ts';
import type { BodyContext } from '../function-bodies.ts';
import { type ModuleLayout, SectionId } from '../module-reader.ts';

/** Where what is added to a module stands, and where what it has goes. */
export class FuelLayout {
  readonly bodies: BodyContext;
  /** How many functions the guest imports. */
  readonly imported: number;
  /** The added imports come first, so that all functions of the guest move up by two. */
  readonly refuel = 0;
  readonly grow = 1;
  /** Functions behind the guest's own: they take a length, charge it, and give it back. */
  readonly chargeBytes: number;
  readonly chargeEntries: number;
  /** The global, behind the guest's. */
  readonly fuel: number;
  /** Types behind the guest's: () -> (), and (i32) -> (i32). */
  readonly actionType: number;
  readonly lengthType: number;
  readonly #functions: number;

  constructor(layout: ModuleLayout) {
    this.bodies = contextOf(layout);
    this.imported = layout.imports.length;
    this.#functions = layout.functions.length;
    this.chargeBytes = this.#functions + 2;
    this.chargeEntries = this.#functions + 3;
    const globals = layout.sections.find(each => each.id === SectionId.global);
    this.fuel = globals ? new ByteReader(globals.body).u32() : 0;
    this.actionType = layout.types.length;
    this.lengthType = layout.types.length + 1;
  }

  /** The guest's function `index` as it is called now. */
  function(index: number): number[] {
    if (index >= this.#functions) throw new ModuleError(`it has no function ${index}`);
    return leb(index + 2);
  }

  /** The fuel stands behind the guest's globals, and no guest may name it. */
  checkGlobal(index: number): void {
    if (index >= this.fuel) throw new ModuleError(`it has no global ${index}`);
  }

  /** There is one. */
  checkMemory(index: number): void {
    if (index > 0) throw new ModuleError(`it has no memory ${index}`);
  }
}

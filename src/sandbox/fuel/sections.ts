import { type Bytes, concatenate } from '../byte-buffer.ts';
import { ByteReader, leb, ModuleError } from '../byte-reader.ts';
import { ExternalKind, SectionId } from '../module-reader.ts';
import { Immediate, immediateOf, NO_OPCODE, Op, prefixStart, skipImmediate } from '../opcodes.ts';
import type { FuelLayout } from './layout.ts';

/** Called with the guest's number of every function that a section names. */
export type OnFunction = (index: number) => void;

/** A section, or none, with `first` before its items and `last` behind them. */
export function extend(
  body: Uint8Array | undefined,
  { first = [], last = [] }: { first?: readonly Bytes[]; last?: readonly Bytes[] },
): Uint8Array {
  const reader = new ByteReader(body ?? new Uint8Array([0]));
  const count = reader.u32() + first.length + last.length;
  return concatenate([leb(count), ...first, reader.bytes.subarray(reader.at), ...last]);
}

/** A section that is a list of `items`. */
export function listOf(items: readonly Bytes[]): Uint8Array {
  return concatenate([leb(items.length), ...items]);
}

export const sized = (bytes: Bytes): Uint8Array => concatenate([leb(bytes.length), bytes]);

/** Copies a section piece by piece, with new numbers for functions. */
class SectionRewriter {
  readonly #reader: ByteReader;
  readonly #layout: FuelLayout;
  readonly #onFunction: OnFunction;
  readonly #parts: Bytes[] = [];
  /** What stands before it in the section is among the parts. */
  #copied = 0;

  constructor(body: Uint8Array, id: number, layout: FuelLayout, onFunction: OnFunction) {
    this.#reader = new ByteReader(body, `section ${id}`);
    this.#layout = layout;
    this.#onFunction = onFunction;
  }

  rewrite(item: () => void): Uint8Array {
    for (let left = this.#reader.u32(); left > 0; left--) item();
    if (!this.#reader.done) throw new ModuleError('a section goes on behind its end');
    return concatenate([...this.#parts, this.#reader.bytes.subarray(this.#copied)]);
  }

  readonly global = (): void => {
    this.#reader.valueType();
    this.#reader.byte();
    this.#expression();
  };

  readonly export = (): void => {
    this.#reader.skip(this.#reader.u32());
    const kind = this.#reader.byte();
    if (kind === ExternalKind.function) this.#function();
    else if (kind === ExternalKind.global) this.#layout.checkGlobal(this.#reader.u32());
    else this.#reader.u32();
  };

  /** https://webassembly.github.io/spec/core/binary/modules.html#element-section */
  readonly element = (): void => {
    const flags = this.#reader.u32();
    if (flags > 7) throw new ModuleError(`an element segment is of an unknown kind (${flags})`);
    const [isPassive, hasIndex, hasExpressions] = [flags & 1, flags & 2, flags & 4];
    if (!isPassive) {
      if (hasIndex) this.#reader.u32();
      this.#expression();
    }
    if (flags & 3) {
      if (hasExpressions) this.#reader.valueType();
      else this.#reader.byte();
    }
    for (let left = this.#reader.u32(); left > 0; left--) {
      if (hasExpressions) this.#expression();
      else this.#function();
    }
  };

  /** A constant expression, to its end. */
  #expression(): void {
    const reader = this.#reader;
    for (;;) {
      const opcode = reader.byte();
      if (opcode === Op.end) return;
      const start = prefixStart(opcode);
      const entry = start === 0 ? opcode : start + Math.min(reader.u32(), 0xff);
      const immediate = immediateOf[entry]!;
      if (immediate === NO_OPCODE || immediate === Immediate.control) {
        throw new ModuleError(`a constant expression has the opcode 0x${opcode.toString(16).padStart(2, '0')}`);
      }
      if (entry === Op.refFunc) this.#function();
      else if (entry === Op.globalGet) this.#layout.checkGlobal(reader.u32());
      else skipImmediate(reader, immediate);
    }
  }

  #function(): void {
    const { at } = this.#reader;
    const index = this.#reader.u32();
    this.#parts.push(this.#reader.bytes.subarray(this.#copied, at), this.#layout.function(index));
    this.#copied = this.#reader.at;
    this.#onFunction(index);
  }
}

const items = {
  [SectionId.global]: 'global',
  [SectionId.export]: 'export',
  [SectionId.element]: 'element',
} as const;

/** The section with the numbers that functions have now; `onFunction` hears of each that it names. */
export function renumber(
  body: Uint8Array,
  id: keyof typeof items,
  layout: FuelLayout,
  onFunction: OnFunction,
): Uint8Array {
  const rewriter = new SectionRewriter(body, id, layout, onFunction);
  return rewriter.rewrite(rewriter[items[id]]);
}

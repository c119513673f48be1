import { ByteReader } from '../byte-reader.ts';
import { type BodyContext, BodyReader, type Instruction } from '../function-bodies.ts';
import { Op } from '../opcodes.ts';
import { fuelOf, VALUES_PER_FUEL } from './costs.ts';

/**
 * Instructions that run one after the other once the first of them does. A segment is charged where it begins, or
 * where one that leads to it begins: in the same loop, and never less often than it runs.
 */
export interface Segment {
  /** Where it begins in the body. */
  readonly at: number;
  /**
   * `entry`: the function's beginning. `loop`: behind a loop's header. `arm`: behind an `if`, an `else` or a `br_if`.
   * `rest`: behind a block that something within jumps over.
   */
  readonly kind: 'entry' | 'loop' | 'arm' | 'rest';
  /** One that has run whenever this one begins; the function's entry has none. */
  readonly over: Segment | undefined;
  fuel: number;
}

interface Block {
  readonly isLoop: boolean;
  /** The segment that it begins in, and whether nothing runs there. */
  readonly before: Segment;
  readonly dead: boolean;
  /** The outermost block that a jump from inside goes to, counted from the function's own. */
  leavesTo: number;
}

/** A function's segments in the order of their beginnings; `visit` sees every instruction and says what it costs on top of the tables. */
export function readSegments(
  body: Uint8Array,
  index: number,
  context: BodyContext,
  visit: (instruction: Instruction) => number,
): readonly Segment[] {
  const walker = new SegmentWalker(body);
  const { locals } = new BodyReader(body, index, context).read(instruction => {
    walker.step(instruction, visit(instruction));
  });
  const { segments } = walker;
  segments[0]!.fuel += Math.floor(locals / VALUES_PER_FUEL);
  return segments;
}

class SegmentWalker {
  readonly segments: Segment[] = [];
  readonly #operands: ByteReader;
  readonly #blocks: Block[] = [];
  #now!: Segment;
  /** Behind a jump nothing runs until the block's end. */
  #dead = false;

  constructor(body: Uint8Array) {
    this.#operands = new ByteReader(body);
  }

  step(instruction: Instruction, extra: number): void {
    const { entry, at, moved } = instruction;
    if (this.segments.length === 0) {
      this.#begin(at, 'entry', undefined);
      this.#now.fuel = 1;
      this.#enter(false);
    }
    if (!this.#dead) this.#now.fuel += fuelOf[entry]! + Math.floor(moved / VALUES_PER_FUEL) + extra;
    this.#follow(instruction);
  }

  #follow({ entry, at, end }: Instruction): void {
    switch (entry) {
      case Op.block:
        this.#enter(false);
        break;
      case Op.loop:
        this.#enter(true);
        this.#begin(end, 'loop', this.#now);
        break;
      case Op.if:
        this.#enter(false);
        this.#begin(end, 'arm', this.#now);
        break;
      case Op.else:
        this.#dead = this.#blocks.at(-1)!.dead;
        this.#begin(end, 'arm', this.#blocks.at(-1)!.before);
        break;
      case Op.end:
        this.#end(end);
        break;
      case Op.br:
      case Op.brIf:
      case Op.brTable:
        this.#branch(entry, at);
        if (entry === Op.brIf) this.#begin(end, 'arm', this.#now);
        else this.#dead = true;
        break;
      case Op.return:
      case Op.returnCall:
      case Op.returnCallIndirect:
        this.#leaveTo(0);
        this.#dead = true;
        break;
      case Op.unreachable:
        this.#dead = true;
    }
  }

  #begin(at: number, kind: Segment['kind'], over: Segment | undefined): void {
    this.#now = { at, kind, over, fuel: 0 };
    this.segments.push(this.#now);
  }

  #enter(isLoop: boolean): void {
    this.#blocks.push({ isLoop, before: this.#now, dead: this.#dead, leavesTo: this.#blocks.length });
  }

  #end(at: number): void {
    const { before, dead, leavesTo } = this.#blocks.pop()!;
    const depth = this.#blocks.length;
    if (depth === 0) return;
    this.#dead = dead;
    this.#now = before;
    if (leavesTo >= depth) return;
    // Whoever entered the block need not come here.
    this.#leaveTo(leavesTo);
    if (!dead) this.#begin(at, 'rest', before);
  }

  #branch(entry: number, at: number): void {
    const operands = this.#operands;
    operands.at = at + 1;
    const innermost = this.#blocks.length - 1;
    const more = entry === Op.brTable ? operands.u32() : 0;
    for (let left = more; left >= 0; left--) this.#leaveTo(innermost - operands.u32());
  }

  #leaveTo(depth: number): void {
    const block = this.#blocks.at(-1)!;
    block.leavesTo = Math.min(block.leavesTo, depth);
  }
}

import { ByteReader } from '../byte-reader.ts';
import { type BodyContext, BodyReader, type Instruction } from '../function-bodies.ts';
import { BulkOp, Op } from '../opcodes.ts';
import { fuelOf, HOST_CALL_FUEL, VALUES_PER_FUEL } from './costs.ts';

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
  /** The innermost loop around it. */
  readonly loop: Loop | undefined;
  fuel: number;
}

export interface Loop {
  /** Where its opcode stands. */
  readonly at: number;
  readonly outer: Loop | undefined;
  /** Whether anything in it calls what may take fuel itself. */
  calls: boolean;
}

export interface FunctionSegments {
  /** In the order of their beginnings. */
  readonly segments: readonly Segment[];
  /** With the parameters. */
  readonly locals: number;
  /** As of a loop. */
  readonly calls: boolean;
}

/** What calls of functions cost. */
export interface Callees {
  /** How many functions are the host's. */
  readonly imported: number;
  /** What the functions cost that take no fuel themselves: their callers pay. */
  readonly leaves: ReadonlyMap<number, number>;
}

/** The function `index` in segments; `visit` sees every instruction. */
export function readSegments(
  body: Uint8Array,
  index: number,
  context: BodyContext,
  callees: Callees,
  visit?: (instruction: Instruction) => void,
): FunctionSegments {
  const walker = new SegmentWalker(body, callees);
  const { locals } = new BodyReader(body, index, context).read(instruction => {
    walker.step(instruction);
    visit?.(instruction);
  });
  const { segments, calls } = walker;
  segments[0]!.fuel += Math.floor(locals / VALUES_PER_FUEL);
  return { segments, locals, calls };
}

interface Block {
  /** The loop that it is, or that is around it. */
  readonly loop: Loop | undefined;
  /** The segment that it begins in, and whether nothing runs there. */
  readonly before: Segment;
  readonly dead: boolean;
  /** The outermost block that a jump from inside goes to, counted from the function's own. */
  leavesTo: number;
}

class SegmentWalker {
  readonly segments: Segment[] = [];
  calls = false;
  readonly #operands: ByteReader;
  readonly #callees: Callees;
  readonly #blocks: Block[] = [];
  #now!: Segment;
  /** Behind a jump nothing runs until the block's end. */
  #dead = false;

  constructor(body: Uint8Array, callees: Callees) {
    this.#operands = new ByteReader(body);
    this.#callees = callees;
  }

  step(instruction: Instruction): void {
    const { entry, at, moved } = instruction;
    if (this.segments.length === 0) {
      this.#begin(at, 'entry', undefined);
      this.#now.fuel = 1;
      this.#enter(undefined);
    }
    const extra = this.#callee(entry, at);
    if (!this.#dead) this.#now.fuel += fuelOf[entry]! + Math.floor(moved / VALUES_PER_FUEL) + extra;
    this.#follow(instruction);
  }

  /** What an instruction costs beside itself. */
  #callee(entry: number, at: number): number {
    let leaf: number | undefined;
    if (entry === Op.call || entry === Op.returnCall) {
      this.#operands.at = at + 1;
      const index = this.#operands.u32();
      leaf = this.#callees.leaves.get(index);
      if (index < this.#callees.imported) leaf ??= HOST_CALL_FUEL;
      else if (leaf !== undefined) return leaf;
    }
    if (takingFuel.has(entry)) {
      this.calls = true;
      const loop = this.#blocks.at(-1)!.loop;
      if (loop) loop.calls = true;
    }
    return leaf ?? 0;
  }

  #follow({ entry, at, end }: Instruction): void {
    switch (entry) {
      case Op.block:
        this.#enter(this.#loop());
        break;
      case Op.loop:
        this.#enter({ at, outer: this.#loop(), calls: false });
        this.#begin(end, 'loop', this.#now);
        break;
      case Op.if:
        this.#enter(this.#loop());
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

  #loop(): Loop | undefined {
    return this.#blocks.at(-1)?.loop;
  }

  #begin(at: number, kind: Segment['kind'], over: Segment | undefined): void {
    this.#now = { at, kind, over, loop: this.#loop(), fuel: 0 };
    this.segments.push(this.#now);
  }

  #enter(loop: Loop | undefined): void {
    this.#blocks.push({ loop, before: this.#now, dead: this.#dead, leavesTo: this.#blocks.length });
  }

  #end(at: number): void {
    const { before, dead, leavesTo, loop } = this.#blocks.pop()!;
    const outer = this.#loop();
    if (outer && loop?.calls) outer.calls = true;
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

/** They call a function that takes fuel, of the guest or an added one. */
const takingFuel: ReadonlySet<number> = new Set([
  Op.call,
  Op.callIndirect,
  Op.returnCall,
  Op.returnCallIndirect,
  Op.memoryGrow,
  ...Object.values(BulkOp),
]);

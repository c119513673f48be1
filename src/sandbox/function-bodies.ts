import { ByteReader, ModuleError } from './byte-reader.ts';
import {
  CALL_WEIGHT,
  Immediate,
  immediateOf,
  NO_OPCODE,
  Op,
  popsOf,
  prefixStart,
  pushesOf,
  refuseOpcode,
  skipImmediate,
  weightOf,
} from './opcodes.ts';

/** How many values a function or a block takes and leaves. */
export interface Arity {
  readonly params: number;
  readonly results: number;
}

/** What the reader has to know of the module around a body. */
export interface BodyContext {
  readonly types: readonly Arity[];
  /** All functions, imported ones first. */
  readonly functions: readonly Arity[];
  readonly maxDepth: number;
  readonly maxLocals: number;
}

/** What a body is made of, as far as it costs a compiler. */
export interface BodySize {
  readonly bytes: number;
  /** Parameters are locals too. */
  readonly locals: number;
  /** Instructions, each with its weight. */
  readonly work: number;
  /** Where a compiler looks at all values: both ends of blocks, branches (each entry of a br_table), and calls. */
  readonly joins: number;
  /** Over all joins, the locals and the values on the stack there. */
  readonly joinedValues: number;
  /** The same over the beginnings of loops, where each of them may be a variable of the loop. */
  readonly loopValues: number;
  /** Values that calls take and return. */
  readonly passedValues: number;
  readonly depth: number;
}

/** An instruction of a body, as {@link BodyReader} has read it. */
export interface Instruction {
  /** Its place in the tables of opcodes.ts. */
  readonly entry: number;
  /** Where it begins in the body, and where the next one does. */
  readonly at: number;
  readonly end: number;
  /** Values that a call passes and gets, or a branch carries. */
  readonly moved: number;
}

interface Block extends Arity {
  /** Values that a branch to it carries. */
  readonly label: number;
  /** Height of the stack below what the block takes. */
  readonly base: number;
}

/** Walks through the instructions of one function; `index` is its number among all. Types are left to V8. */
export class BodyReader {
  readonly #reader: ByteReader;
  readonly #context: BodyContext;
  readonly #index: number;
  readonly #blocks: Block[] = [];
  readonly #locals: number;
  #moved = 0;
  #height = 0;
  #depth = 0;
  #work = 0;
  #joins = 0;
  #joinedValues = 0;
  #loopValues = 0;
  #passedValues = 0;

  constructor(body: Uint8Array, index: number, context: BodyContext) {
    this.#reader = new ByteReader(body, `function ${index}`);
    this.#index = index;
    this.#context = context;
    const own = arityAt(context.functions, index, 'function');
    this.#locals = this.#readLocals(own.params);
    this.#enter({ params: 0, results: own.results }, own.results);
  }

  /** `visit` is told of each instruction, when its operands are known to be in order. */
  read(visit?: (instruction: Instruction) => void): BodySize {
    const reader = this.#reader;
    while (this.#blocks.length > 0) {
      const { at } = reader;
      this.#moved = 0;
      const opcode = reader.byte();
      const start = prefixStart(opcode);
      const entry = start === 0 ? opcode : this.#prefixed(start, opcode);
      const weight = look(weightOf, entry);
      const immediate = look(immediateOf, entry);
      this.#work += weight;
      if (immediate === Immediate.control) this.#control(entry);
      else {
        if (immediate === NO_OPCODE) throw refuseOpcode(opcode, 0, this.#index);
        skipImmediate(reader, immediate);
        this.#move(look(popsOf, entry), look(pushesOf, entry));
        if (weight >= CALL_WEIGHT) this.#join(this.#height);
      }
      visit?.({ entry, at, end: reader.at, moved: this.#moved });
    }
    if (!reader.done) throw new ModuleError(`function ${this.#index} goes on behind its end`);
    return {
      bytes: reader.bytes.length,
      locals: this.#locals,
      work: this.#work,
      joins: this.#joins,
      joinedValues: this.#joinedValues,
      loopValues: this.#loopValues,
      passedValues: this.#passedValues,
      depth: this.#depth,
    };
  }

  #readLocals(params: number): number {
    const reader = this.#reader;
    let locals = params;
    for (let groups = reader.u32(); groups > 0; groups--) {
      locals += reader.u32();
      reader.valueType();
      if (locals > this.#context.maxLocals) {
        throw new ModuleError(`function ${this.#index} has ${locals} locals; ${this.#context.maxLocals} are allowed`);
      }
    }
    return locals;
  }

  #prefixed(start: number, prefix: number): number {
    const opcode = this.#reader.u32();
    if (opcode > 0xff || immediateOf[start + opcode] === NO_OPCODE) throw refuseOpcode(opcode, prefix, this.#index);
    return start + opcode;
  }

  #control(opcode: number): void {
    switch (opcode) {
      case Op.block:
        this.#block();
        break;
      case Op.loop:
        this.#loop();
        break;
      case Op.if:
        this.#move(1, 0);
        this.#block();
        break;
      case Op.else:
        this.#else();
        break;
      case Op.end:
        this.#end();
        break;
      case Op.br:
        this.#branch();
        this.#leave();
        break;
      case Op.brIf:
        this.#move(1, 0);
        this.#branch();
        break;
      case Op.brTable:
        this.#brTable();
        break;
      case Op.return:
      case Op.unreachable:
        this.#leave();
        break;
      default:
        this.#call(opcode);
    }
  }

  #block(): void {
    const arity = this.#blockType();
    this.#enter(arity, arity.results);
  }

  #loop(): void {
    const arity = this.#blockType();
    this.#enter(arity, arity.params);
    this.#loopValues += this.#locals + this.#height;
  }

  #enter({ params, results }: Arity, label: number): void {
    const { maxDepth } = this.#context;
    const base = Math.max(this.#base(), this.#height - params);
    // The function itself is the outermost block.
    const depth = this.#blocks.push({ params, results, label, base }) - 1;
    if (depth > maxDepth) {
      throw new ModuleError(`function ${this.#index} nests blocks more than ${maxDepth} deep`);
    }
    this.#depth = Math.max(this.#depth, depth);
    this.#height = base + params;
    this.#join(this.#height);
  }

  #else(): void {
    const { base, params } = this.#blocks.at(-1)!;
    this.#height = base + params;
    this.#join(this.#height);
  }

  #end(): void {
    const { base, results } = this.#blocks.pop()!;
    this.#height = base + results;
    this.#join(this.#height);
  }

  #brTable(): void {
    this.#move(1, 0);
    for (let left = this.#reader.u32() + 1; left > 0; left--) this.#branch();
    this.#leave();
  }

  /** A branch carries what its label wants, also where it is never reached and the stack has nothing. */
  #branch(): void {
    const target = this.#blocks.at(-1 - this.#reader.u32());
    if (!target) throw new ModuleError(`function ${this.#index} branches out of itself`);
    this.#work += look(weightOf, Op.br);
    this.#moved = Math.max(this.#moved, target.label);
    this.#join(Math.max(this.#height, target.label));
  }

  #call(opcode: number): void {
    const indirect = opcode === Op.callIndirect || opcode === Op.returnCallIndirect;
    const { types, functions } = this.#context;
    const { params, results } = arityAt(
      indirect ? types : functions,
      this.#reader.u32(),
      indirect ? 'type' : 'function',
    );
    if (indirect) this.#reader.skipNumber();
    this.#moved = params + results;
    this.#passedValues += this.#moved;
    this.#move(params + (indirect ? 1 : 0), results);
    this.#join(this.#height);
    if (opcode === Op.returnCall || opcode === Op.returnCallIndirect) this.#leave();
  }

  #blockType(): Arity {
    const reader = this.#reader;
    const first = reader.peek();
    // Types are small negative numbers, indices positive ones.
    if ((first & 0xc0) !== 0x40) return arityAt(this.#context.types, reader.u32(), 'type');
    reader.valueType();
    return first === 0x40 ? { params: 0, results: 0 } : { params: 0, results: 1 };
  }

  /** What stands behind a jump is not reached; there the stack is as at the block's beginning, and has what it wants. */
  #leave(): void {
    this.#height = this.#base();
  }

  #base(): number {
    return this.#blocks.at(-1)?.base ?? 0;
  }

  #move(pops: number, pushes: number): void {
    this.#height = Math.max(this.#base(), this.#height - pops) + pushes;
  }

  #join(height: number): void {
    this.#joins++;
    this.#joinedValues += this.#locals + height;
  }
}

/** A table of opcodes.ts at an entry that it has: one byte, or one that {@link FunctionBody} found behind a prefix. */
function look(table: Uint8Array, entry: number): number {
  return table[entry] ?? NO_OPCODE;
}

function arityAt(list: readonly Arity[], index: number, what: string): Arity {
  const arity = list[index];
  if (!arity) throw new ModuleError(`it has no ${what} ${index}`);
  return arity;
}

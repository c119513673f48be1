/**
 * The memories of a model. A WebAssembly memory with 32-bit addresses ends at 4 GiB, and kernels are bound to one, so a
 * larger model lives in several: each matrix and each layer of a cache in one of them. Work buffers have the same
 * address in every memory, and a step transfers the few rows it works on from one to the next (see residency.ts).
 *
 * Each memory grows from both ends: what all share from below, what is its own from above.
 */
import { platform } from '#platform';
import { RealmError } from '../../errors.ts';
import { constantsEnd, writeConstants } from '../../kernels/constants.ts';

const pageBytes = 65536;
export const mostPages = 65536;
/** 256 MB: fewer hold no large matrix beside the work buffers. */
const leastPages = 4096;
const mostMemories = 30;

/** Bytes of one memory's own part. */
export interface Block {
  /** Number of the memory. */
  readonly memory: number;
  readonly address: number;
  readonly bytes: number;
}

export const align = (value: number, to: number): number => Math.ceil(value / to) * to;

export class Memories {
  readonly list: WebAssembly.Memory[] = [];
  readonly #views: Uint8Array[] = [];
  readonly #added: (memory: WebAssembly.Memory) => void;
  readonly #sharedStart: number;
  #sharedEnd: number;
  /** Weights come before work buffers: this far up no memory is given to weights. */
  readonly #reserve: number;
  /** Per memory: where its own part begins. */
  readonly #tops: number[] = [];
  #holes: Block[] = [];

  readonly #pages: number;

  /**
   * `scratch`: bytes after the constants that no one else may use and that no memory needs a copy of. `pages`: size of
   * a memory, in units of 64 KiB; `added` is called with each.
   */
  constructor(scratch: number, pages: number, added: (memory: WebAssembly.Memory) => void) {
    this.#added = added;
    this.#pages = pages;
    this.#sharedStart = align(align(constantsEnd, 64) + scratch, 64);
    this.#sharedEnd = this.#sharedStart;
    this.#add('a model');
    const share = (pages * pageBytes) / 8;
    // Where large memories were refused it may be more than there is.
    this.#reserve = this.#sharedEnd + Math.min(share, this.bytes(0).length / 2);
  }

  /** The bytes of memory `index`. */
  bytes(index: number): Uint8Array {
    return this.#views[index];
  }

  /** Writes to the same address of every memory. */
  place(address: number, values: Int32Array | Float32Array): void {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    for (const view of this.#views) view.set(bytes, address);
  }

  /** An address that is good in every memory, those to come included. */
  shared(bytes: number, what: string): number {
    const address = align(this.#sharedEnd, 64);
    const room = Math.min(...this.#tops) - address;
    if (bytes > room) throw tooLarge(what, bytes, room);
    this.#sharedEnd = address + bytes;
    return address;
  }

  /** Zeroed or not; in the first memory with room, in a new one when none has. */
  own(bytes: number, what: string): Block {
    const size = align(bytes, 64);
    const hole = this.#holes.find(block => block.bytes >= size);
    if (hole) return this.#fill(hole, size);
    const floor = Math.max(this.#sharedEnd, this.#reserve);
    let memory = this.#tops.findIndex(top => top - size >= floor);
    if (memory < 0) memory = this.#add(what);
    const address = this.#tops[memory] - size;
    if (address < floor) throw tooLarge(what, size, this.#tops[memory] - floor);
    this.#tops[memory] = address;
    return { memory, address, bytes: size };
  }

  free(block: Block): void {
    let { address, bytes } = block;
    this.#holes = this.#holes.filter(hole => {
      const before = hole.memory === block.memory && hole.address + hole.bytes === address;
      const behind = hole.memory === block.memory && address + bytes === hole.address;
      if (before) address = hole.address;
      if (before || behind) bytes += hole.bytes;
      return !before && !behind;
    });
    if (address === this.#tops[block.memory]) this.#tops[block.memory] += bytes;
    else this.#holes.push({ memory: block.memory, address, bytes });
  }

  #fill(hole: Block, bytes: number): Block {
    this.#holes = this.#holes.filter(other => other !== hole);
    const rest = hole.bytes - bytes;
    if (rest > 0) this.#holes.push({ memory: hole.memory, address: hole.address + bytes, bytes: rest });
    return { memory: hole.memory, address: hole.address, bytes };
  }

  #add(what: string): number {
    const index = this.list.length;
    if (index === mostMemories) throw tooLarge(what, 0, 0);
    const { memory, view } = newMemory(this.#pages);
    writeConstants(view);
    if (index > 0) view.set(this.#views[0].subarray(this.#sharedStart, this.#sharedEnd), this.#sharedStart);
    this.list.push(memory);
    this.#views.push(view);
    // Kernels may read some bytes past an operand.
    this.#tops.push(view.length - pageBytes);
    this.#added(memory);
    return index;
  }
}

/** A memory of `pages`, or of half as many as long as that is refused (phones, small machines): a model may live in several. */
function newMemory(pages: number): { memory: WebAssembly.Memory; view: Uint8Array } {
  try {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: platform.sharesMemory });
    return { memory, view: new Uint8Array(memory.buffer) };
  } catch (cause) {
    if (pages > leastPages) return newMemory(Math.max(leastPages, pages >> 1));
    const message = 'no 256 MB of address space for the model; raise the limit on virtual memory, or close other tabs';
    throw new RealmError('out_of_memory', message, { cause });
  }
}

function tooLarge(what: string, bytes: number, room: number): RealmError {
  const need = `${what} needs ${bytes} bytes in one piece, ${Math.max(0, room)} are left`;
  return new RealmError('out_of_memory', `${need}; use a smaller context or a smaller model`);
}

import type { GuestMemory } from './guest-memory.ts';
import { PAGE_BYTES } from './limits.ts';
import { Fault } from './outcome.ts';
import type { PlaceMemory } from './place-memory.ts';

/** Room in a guest's memory: found by its own allocator if it has one, else in new pages. The place says whether there is memory left. */
export class GuestRoom {
  readonly #run: number;
  readonly #place: PlaceMemory;
  #memory!: GuestMemory;
  #alloc: ((length: number) => Promise<number>) | undefined;
  /** The place had no memory left for it. */
  refused = false;

  constructor(run: number, place: PlaceMemory) {
    this.#run = run;
    this.#place = place;
  }

  /** Counts what the instance begins with; throws where that is too much. */
  attach(memory: GuestMemory): void {
    this.#memory = memory;
    if (this.#place.take(this.#run, memory.byteLength)) return;
    throw new Fault('out_of_memory', `its process has no ${memory.byteLength} bytes left for it to begin with`);
  }

  /** `alloc`: the guest's own. */
  use(alloc: ((length: number) => Promise<number>) | undefined): void {
    this.#alloc = alloc;
  }

  async find(length: number): Promise<number> {
    const address = this.#alloc ? (await this.#alloc(length)) >>> 0 : this.#addPages(length);
    if (address === undefined || (this.#alloc && address === 0)) {
      throw new Fault('out_of_memory', `no room for ${length} bytes of its input`);
    }
    if (!this.#memory.holds(address, length)) throw new Fault('failed', `realm_alloc(${length}) answered ${address}`);
    return address;
  }

  /** Finds room for the bytes and puts them there. */
  async put(bytes: Uint8Array): Promise<number> {
    const address = await this.find(bytes.length);
    this.#memory.bytes(address, bytes.length)!.set(bytes);
    return address;
  }

  /** What `memory.grow` is in a metered program. */
  grow(pages: number): number {
    const bytes = (pages >>> 0) * PAGE_BYTES;
    if (!this.#place.take(this.#run, bytes)) {
      this.refused = true;
      return -1;
    }
    const before = this.#memory.grow(pages >>> 0);
    if (before === undefined) this.#place.giveBack(this.#run, bytes);
    return before ?? -1;
  }

  #addPages(length: number): number | undefined {
    const pages = this.grow(Math.ceil(length / PAGE_BYTES));
    return pages < 0 ? undefined : pages * PAGE_BYTES;
  }
}

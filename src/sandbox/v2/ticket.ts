import { Reason, readRecord, setAddress } from './record.ts';
import type { Sequence } from './sequence.ts';

interface Entry {
  readonly handle: number;
  readonly sequence: Sequence;
  record: Uint8Array | undefined;
  message: string | undefined;
}

/** What a program has submitted and not yet waited for. */
export class Ticket {
  readonly handle: number;
  readonly #entries: readonly Entry[];
  #missing: number;

  constructor(handle: number, sequences: readonly (readonly [handle: number, sequence: Sequence])[]) {
    this.handle = handle;
    this.#entries = sequences.map(([handle, sequence]) => ({
      handle,
      sequence,
      record: undefined,
      message: undefined,
    }));
    this.#missing = sequences.length;
    for (const { sequence } of this.#entries) sequence.ticket = handle;
  }

  get isComplete(): boolean {
    return this.#missing === 0;
  }

  /** Of all its records. */
  get bytes(): number {
    return this.#entries.reduce((sum, { record }) => sum + (record?.length ?? 0), 0);
  }

  /** Why the last of those that failed has failed. */
  get failure(): string | undefined {
    return this.#entries.findLast(({ message }) => message !== undefined)?.message;
  }

  complete(index: number, record: Uint8Array, message: string | undefined): void {
    const entry = this.#entries[index];
    if (!entry || entry.record) return;
    setAddress(record, this.handle, index, entry.handle);
    entry.record = record;
    entry.message = message;
    this.#missing--;
  }

  /** Its sequences have grown by what was generated, and may be used again; its records. */
  consume(): Uint8Array[] {
    return this.#entries.map(({ sequence, record }) => {
      const { reason, tokens } = readRecord(record!);
      sequence.ticket = undefined;
      if (sequence.freed) sequence.release();
      else if (reason !== Reason.failed) sequence.appendAnswer(tokens);
      return record!;
    });
  }
}

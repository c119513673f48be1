/**
 * Messages to a thread that may be in the middle of something: a ring of bytes in shared memory, which the reader looks into
 * whenever it likes, without its event loop. One thread writes, one reads; nothing is lost, and the order stays. What the ring
 * has no room for waits with the writer, so a message may be longer than the ring.
 */
import { decode, encode } from './codec.ts';

/** Words of the control block; positions count bytes for ever, and wrap. */
const written = 0;
const consumed = 1;
/** The reader has been woken and has not looked since. */
const woken = 2;
/** The writer waits for room. */
const waiting = 3;
/** The reader sleeps until something is written, without its event loop. */
const attending = 4;
const controlBytes = 32;

/** Bytes before each message: its length. */
const headBytes = 4;

/** The memory of a mailbox; `bytes` is a power of two. */
export function createMailbox(bytes = 1 << 20): SharedArrayBuffer {
  return new SharedArrayBuffer(controlBytes + bytes);
}

class Ring {
  readonly control: Int32Array;
  readonly bytes: Uint8Array;

  constructor(shared: SharedArrayBuffer) {
    this.control = new Int32Array(shared, 0, controlBytes / 4);
    this.bytes = new Uint8Array(shared, controlBytes);
  }

  /** Bytes that are written and not yet read. */
  get filled(): number {
    return (Atomics.load(this.control, written) - Atomics.load(this.control, consumed)) | 0;
  }

  /** Where a position lies, and how many of `count` bytes from there lie in one piece. */
  piece(position: number, count: number): { start: number; length: number } {
    const start = position & (this.bytes.length - 1);
    return { start, length: Math.min(count, this.bytes.length - start) };
  }
}

/** The writer's end, as those who write know it. */
export type WritingEnd = Pick<Outbox, 'unread' | 'readBytes' | 'send' | 'flush'>;

/** What stands for it where no memory is shared: messages that the reader's event loop hands on, between steps. */
export const postedOutbox = (post: (message: unknown) => void): WritingEnd => ({
  unread: false,
  readBytes: 0,
  send: post,
  flush: () => {},
});

/** The writer's end. */
export class Outbox {
  readonly #ring: Ring;
  readonly #wake: () => void;
  /** What the ring has had no room for. */
  #left: Uint8Array[] = [];

  /** `wake` tells the reader's event loop that there is something to read. */
  constructor(shared: SharedArrayBuffer, wake: () => void) {
    this.#ring = new Ring(shared);
    this.#wake = wake;
  }

  /** The reader has not read all of it. */
  get unread(): boolean {
    return this.#ring.filled > 0;
  }

  /** Differs whenever the reader has read. */
  get readBytes(): number {
    return Atomics.load(this.#ring.control, consumed);
  }

  send(message: unknown): void {
    const content = encode(message);
    const head = new Uint8Array(headBytes);
    new DataView(head.buffer).setUint32(0, content.length);
    this.#left.push(head, content);
    this.flush();
  }

  /** Writes what there is room for; called again when the reader says that it has made some. */
  flush(): void {
    const { control } = this.#ring;
    while (this.#left.length > 0) {
      if (this.#write() > 0) continue;
      if (Atomics.exchange(control, waiting, 1) === 1 && this.#full) break;
    }
    if (this.#ring.filled === 0) return;
    if (Atomics.load(control, attending) === 1) Atomics.notify(control, written);
    else if (Atomics.exchange(control, woken, 1) === 0) this.#wake();
  }

  get #full(): boolean {
    return this.#ring.filled === this.#ring.bytes.length;
  }

  /** The next piece; returns its bytes. */
  #write(): number {
    const { control, bytes, filled } = this.#ring;
    const [next] = this.#left as [Uint8Array];
    const position = Atomics.load(control, written);
    const { start, length } = this.#ring.piece(position, Math.min(next.length, bytes.length - filled));
    bytes.set(next.subarray(0, length), start);
    Atomics.store(control, written, (position + length) | 0);
    if (length === next.length) this.#left.shift();
    else this.#left[0] = next.subarray(length);
    return length;
  }
}

/** The reader's end. */
export class Inbox {
  readonly #ring: Ring;
  readonly #receive: (message: unknown) => void;
  readonly #madeRoom: () => void;
  /** What is being read: the length of a message, or the message. */
  #reading = new Uint8Array(headBytes);
  #filled = 0;
  #isHead = true;

  /** `madeRoom` tells the writer to go on, see {@link Outbox.flush}. */
  constructor(shared: SharedArrayBuffer, receive: (message: unknown) => void, madeRoom: () => void) {
    this.#ring = new Ring(shared);
    this.#receive = receive;
    this.#madeRoom = madeRoom;
  }

  /** The event loop was woken: reads all there is. */
  woken(): void {
    Atomics.store(this.#ring.control, woken, 0);
    this.read();
  }

  /**
   * Waits for messages, without the event loop, and hands them on; for a thread that has nothing else to do. Being woken so takes a
   * third of the time, for both ends. False: none came within `ms`.
   */
  attend(ms: number): boolean {
    const { control } = this.#ring;
    Atomics.store(control, attending, 1);
    const seen = Atomics.load(control, written);
    if (this.#ring.filled === 0) Atomics.wait(control, written, seen, ms);
    Atomics.store(control, attending, 0);
    // What was written before that wakes nobody else.
    const came = this.#ring.filled > 0;
    this.read();
    return came;
  }

  /** Hands on every message that is complete. */
  read(): void {
    const { control } = this.#ring;
    for (let filled = this.#ring.filled; filled > 0; filled = this.#ring.filled) {
      this.#take(filled);
      if (this.#filled === this.#reading.length) this.#complete();
    }
    if (Atomics.load(control, waiting) === 1 && Atomics.exchange(control, waiting, 0) === 1) this.#madeRoom();
  }

  #take(filled: number): void {
    const { control, bytes } = this.#ring;
    const position = Atomics.load(control, consumed);
    const { start, length } = this.#ring.piece(position, Math.min(filled, this.#reading.length - this.#filled));
    this.#reading.set(bytes.subarray(start, start + length), this.#filled);
    this.#filled += length;
    Atomics.store(control, consumed, (position + length) | 0);
  }

  #complete(): void {
    const content = this.#reading;
    const isHead = this.#isHead;
    this.#isHead = !isHead;
    this.#filled = 0;
    this.#reading = new Uint8Array(isHead ? new DataView(content.buffer).getUint32(0) : headBytes);
    if (!isHead) this.#receive(decode(content));
  }
}

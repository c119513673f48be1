import { ByteBuffer } from './byte-buffer.ts';
import { MAX_UNREAD_TEXT } from './limits.ts';
import type { FromGuest } from './messages.ts';
import { Fault } from './outcome.ts';

/** What a program streams, as bytes that may end in the middle of a character. */
export class GuestOutput {
  readonly #run: number;
  readonly #most: number;
  readonly #post: (message: FromGuest) => void;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  /** Not sent yet. */
  readonly #streamed = new ByteBuffer();
  #bytes = 0;
  /** Characters that were sent and that nobody has read yet. */
  #unread = 0;
  #wake: (() => void) | undefined;
  #over = false;

  /** `most`: bytes of the whole run. */
  constructor(run: number, most: number, post: (message: FromGuest) => void) {
    this.#run = run;
    this.#most = most;
    this.#post = post;
  }

  /** Throws the Fault of a program that streams too much. */
  write(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes > this.#most)
      throw new Fault('failed', `streamed more than ${this.#most} bytes (the tenant's output_bytes)`);
    this.#streamed.append(bytes);
  }

  /** All that was streamed in one stretch of computing leaves as one piece: a million calls make no million messages. */
  send({ last = false } = {}): void {
    const text = this.#decoder.decode(this.#streamed.take(), { stream: !last });
    if (text === '') return;
    this.#unread += text.length;
    this.#post({ kind: 'text', run: this.#run, text });
  }

  /** So many characters have found their reader. */
  read(characters: number): void {
    this.#unread -= characters;
    this.#wake?.();
  }

  /** A program that is far ahead of whoever reads its text is held back when it next calls the host. */
  async caughtUp(): Promise<void> {
    this.send();
    while (this.#unread > MAX_UNREAD_TEXT && !this.#over) {
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
  }

  /** Holds nobody back any more. */
  end(): void {
    this.#over = true;
    this.#wake?.();
  }
}

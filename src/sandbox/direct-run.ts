import { RealmError } from '../errors.ts';
import { Channel } from './channel.ts';
import { MAX_UNREAD_PIECES } from './limits.ts';
import type { ProgramCall } from './types.ts';

/** Nobody looks at why. */
const ended = new RealmError('request_cancelled', 'The program has ended.');

/**
 * What the default program does, by the host itself: the request goes to the model as it is, and the model's text to the
 * client. guest/assembly/default.ts is the same as a module; an instance of it would cost each request four changes of thread.
 */
export class DirectRun {
  readonly #pieces = new Channel<string>(MAX_UNREAD_PIECES);
  readonly #over = new AbortController();
  readonly #call: ProgramCall;

  constructor(call: ProgramCall) {
    this.#call = call;
  }

  get over(): AbortSignal {
    return this.#over.signal;
  }

  read(): Promise<string | undefined> {
    return this.#pieces.take();
  }

  async start(): Promise<void> {
    const { host, modelId, prompt } = this.#call;
    const take = (text: string): Promise<void> | undefined => {
      this.#over.signal.throwIfAborted();
      this.#pieces.push(text);
      return this.#pieces.hasRoom ? undefined : this.#pieces.room();
    };
    try {
      await host.generate({ modelId, prompt, options: {} }, this.#over.signal, take);
      this.#pieces.close();
    } catch (error) {
      this.#pieces.fail(error);
    }
    this.#over.abort(ended);
  }

  /** Ends it early: what was generated and nobody has read is dropped. */
  cancel(error: unknown): void {
    this.#pieces.fail(error, { drop: true });
    this.#over.abort(ended);
  }
}

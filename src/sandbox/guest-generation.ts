import { GuestError } from './abi.ts';
import { readChangedOptions, readText } from './guest-arguments.ts';
import { encodeText, type GuestMemory, writeText } from './guest-memory.ts';
import type { FromGuest } from './messages.ts';
import type { ModelId } from './model-id.ts';
import type { GenOptions } from './types.ts';

/** What one run lends `realm_host_generate`. */
export interface GenerationPorts {
  readonly run: number;
  /** What the request asks for. */
  readonly options: GenOptions;
  memory(): GuestMemory;
  /** Room for so many bytes in the guest's memory. */
  room(length: number): Promise<number>;
  /** Behind all that was streamed before. */
  send(message: FromGuest): void;
  adapterOf(modelId: number): string | undefined;
  /** Resolves when whoever reads the answer is not far behind. */
  caughtUp(): Promise<void>;
  /** Resolves when it is the program's turn to compute; undefined: it is. */
  next(): Promise<void> | undefined;
  /** Throws when the run is over. */
  checkAlive(): void;
  /** Whether the last thing that the host did for the program failed. */
  noteHost(failed: boolean): void;
  /** Ends the run for what the program's own code threw, and throws it. */
  fail(error: unknown): never;
}

/** Generations of ABI v1: one at a time, whose pieces the program may see as they come. */
export class GuestGeneration {
  readonly #ports: GenerationPorts;
  /** The program's realm_on_token. */
  onToken: ((address: number, length: number) => Promise<number>) | undefined;
  /** The host itself streams what comes. */
  autoStream = false;
  #running = false;
  #pieces: string[] = [];
  #generated: { readonly code: number; readonly text: string } | undefined;
  #wake: (() => void) | undefined;
  #scratch = { address: 0, length: 0 };

  constructor(ports: GenerationPorts) {
    this.#ports = ports;
  }

  piece(text: string): void {
    this.#pieces.push(text);
    this.#wake?.();
  }

  ended(how: { readonly code: number; readonly text: string }): void {
    this.#generated = how;
    this.#wake?.();
  }

  /** Nothing more comes: whoever waits looks whether the run is alive. */
  stop(): void {
    this.#wake?.();
  }

  /** `realm_host_generate`. */
  async generate(
    modelId: number,
    promptAt: number,
    promptLength: number,
    optionsAt: number,
    outAt: number,
    outLength: number,
  ): Promise<number> {
    if (this.#running) return GuestError.busy;
    const { run, options: given } = this.#ports;
    const memory = this.#ports.memory();
    const prompt = readText(memory, promptAt, promptLength);
    if (typeof prompt === 'number') return prompt;
    if (!memory.holds(outAt, outLength)) return GuestError.invalidPointer;
    const options = readChangedOptions(memory, optionsAt, given);
    if (typeof options === 'number') return options;
    this.#running = true;
    this.#generated = undefined;
    this.#ports.send({
      kind: 'generate',
      run,
      modelId: (modelId >>> 0) as ModelId,
      prompt,
      adapter: this.#ports.adapterOf(modelId),
      options,
      pieces: this.autoStream ? 'stream' : this.onToken ? 'send' : 'hold',
      keepBytes: outLength >>> 0,
    });
    const { code, text } = await this.#watch();
    this.#running = false;
    this.#ports.noteHost(code < 0);
    return code < 0 ? code : writeText(text, memory.bytes(outAt, outLength)!);
  }

  /** Hands the pieces to realm_on_token until the generation ends; `text` ends where it asked to stop. */
  async #watch(): Promise<{ readonly code: number; readonly text: string }> {
    let stopped = false;
    let offered = 0;
    while (this.#pieces.length > 0 || this.#generated === undefined) {
      const piece = this.#pieces.shift();
      if (piece === undefined) await this.#nextMessage();
      else if (!stopped) {
        offered += piece.length;
        stopped = await this.#offer(piece);
        await this.#ports.caughtUp();
      }
      this.#ports.checkAlive();
    }
    const { code, text } = this.#generated;
    return { code, text: stopped ? text.slice(0, offered) : text };
  }

  /** Calls realm_on_token, which may itself wait for the host; true when it asked to stop. */
  async #offer(piece: string): Promise<boolean> {
    try {
      const bytes = encodeText(piece);
      const address = await this.#scratchFor(bytes.length);
      this.#ports.memory().bytes(address, bytes.length)!.set(bytes);
      if ((await this.onToken!(address, bytes.length)) === 0) return false;
    } catch (error) {
      // The outer call must not go on, whatever it catches.
      this.#ports.fail(error);
    }
    if (this.#generated === undefined) this.#ports.send({ kind: 'stop', run: this.#ports.run });
    return true;
  }

  /** One place for all pieces, made larger when one does not fit: most allocators of small programs never free. */
  async #scratchFor(length: number): Promise<number> {
    if (length > this.#scratch.length || !this.#ports.memory().holds(this.#scratch.address, length)) {
      const size = Math.max(256, 2 ** Math.ceil(Math.log2(length)));
      this.#scratch = { address: await this.#ports.room(size), length: size };
    }
    return this.#scratch.address;
  }

  async #nextMessage(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    await this.#ports.next();
  }
}

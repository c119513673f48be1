import { GuestError, MAX_STOP_TOKENS, OPTIONS_BYTES, unsupportedFunctions, writeOptions } from './abi.ts';
import { ByteBuffer } from './byte-buffer.ts';
import { readChangedOptions, readText, readTokens, writeTextAnswer, writeTokensAnswer } from './guest-arguments.ts';
import { encodeText, GuestMemory, writeText } from './guest-memory.ts';
import { MAX_UNREAD_TEXT } from './limits.ts';
import type { FromGuest, HostQuery, HostReply, Outcome, ToGuest } from './messages.ts';
import type { ModelId } from './model-id.ts';
import { classify, Fault } from './outcome.ts';

type Start = Extract<ToGuest, { kind: 'start' }>;
type Message = Exclude<ToGuest, { kind: 'compile' | 'start' }>;
type Export = (...args: number[]) => number;
/** The arguments of a host function: validation has seen to it that the module passes as many as it takes. */
type Six = [number, number, number, number, number, number];

// JavaScript Promise Integration (https://github.com/WebAssembly/js-promise-integration): the program calls a host
// function like any other and is suspended on a stack of its own until the promise settles, so one worker holds many.
const { promising, Suspending } = WebAssembly as unknown as {
  promising(wasm: Export): (...args: number[]) => Promise<number>;
  Suspending: new (js: (...args: number[]) => number | Promise<number>) => WebAssembly.ImportValue;
};

/** One run of a program: its instance, and the host functions that it sees. Lives where the program runs. */
export class GuestRun {
  readonly #start: Start;
  readonly #module: WebAssembly.Module | undefined;
  readonly #post: (message: FromGuest) => void;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #memory!: GuestMemory;
  #alloc: Export | undefined;
  #onToken: ((...args: number[]) => Promise<number>) | undefined;
  #scratch = { address: 0, length: 0 };
  #fault: Fault | undefined;
  #hostCalls = 0;
  #streamedBytes = 0;
  #hostFailed = false;
  #generating = false;
  #generated: { readonly code: number; readonly text: string } | undefined;
  #autoStream = false;
  #pieces: string[] = [];
  #wake: (() => void) | undefined;
  /** Not sent yet. */
  readonly #streamed = new ByteBuffer();
  /** Characters that were sent and that nobody has read yet. */
  #unread = 0;
  #wakeReader: (() => void) | undefined;
  #query: { resolve(value: HostReply): void; reject(error: Error): void } | undefined;

  constructor(start: Start, module: WebAssembly.Module | undefined, post: (message: FromGuest) => void) {
    this.#start = start;
    this.#module = module;
    this.#post = post;
  }

  /** The size of the program's memory. */
  get memoryBytes(): number {
    return this.#memory?.byteLength ?? 0;
  }

  /** Runs the program to its end; never throws. */
  async run(): Promise<Outcome> {
    try {
      await this.#call();
      return { kind: 'done', message: '', hostFailed: this.#hostFailed };
    } catch (error) {
      this.#sendText();
      const cause = this.#fault ?? error;
      return { ...classify(cause, this.memoryBytes, this.#start.limits.memoryMb), hostFailed: this.#hostFailed };
    }
  }

  receive(message: Message): void {
    switch (message.kind) {
      case 'text':
        this.#pieces.push(message.text);
        this.#wake?.();
        break;
      case 'generated':
        this.#generated = message;
        this.#wake?.();
        break;
      case 'reply':
        this.#query?.resolve(message.value);
        break;
      case 'read':
        this.#unread -= message.length;
        this.#wakeReader?.();
        break;
      case 'cancel':
        this.#kill(new Fault('killed', 'cancelled'));
        break;
      default:
        message satisfies never;
    }
  }

  async #call(): Promise<void> {
    if (!this.#module) throw new Fault('failed', 'it was not compiled');
    const { exports } = new WebAssembly.Instance(this.#module, { env: this.#imports() });
    this.#memory = new GuestMemory(exports.memory as WebAssembly.Memory);
    this.#alloc = exports.realm_alloc as Export | undefined;
    if (exports.realm_on_token) this.#onToken = promising(exports.realm_on_token as Export);
    await promising(exports.realm_new as Export)();
    this.#checkAlive();
    if (exports.realm_auto_stream) this.#autoStream = (exports.realm_auto_stream as Export)() !== 0;
    const { promptAt, promptLength, optionsAt } = this.#placeInput();
    const generate = promising(exports.generate as Export);
    const answer = await generate(promptAt, promptLength, this.#start.modelId, optionsAt);
    if (this.#fault) throw this.#fault;
    this.#emitAnswer(answer >>> 0);
  }

  /** Finds room for `length` bytes in the guest's memory: by its own allocator if it has one, else in new pages. */
  #place(length: number): number {
    const address = this.#alloc ? this.#alloc(length) >>> 0 : this.#memory.grow(length);
    if (address === undefined || (this.#alloc && address === 0)) {
      throw new Fault('out_of_memory', `no room for ${length} bytes of its input`);
    }
    if (!this.#memory.holds(address, length)) throw new Fault('failed', `realm_alloc(${length}) answered ${address}`);
    return address;
  }

  /** Places the options, their stop tokens and the prompt, one after the other. */
  #placeInput(): { promptAt: number; promptLength: number; optionsAt: number } {
    const { options } = this.#start;
    const stopTokens = options.stopTokens.slice(0, MAX_STOP_TOKENS);
    const prompt = encodeText(this.#start.prompt);
    const head = OPTIONS_BYTES + stopTokens.length * 4;
    const optionsAt = this.#place(head + prompt.length);
    const view = this.#memory.view(optionsAt, head)!;
    writeOptions(view, { ...options, stopTokens }, optionsAt + OPTIONS_BYTES);
    const promptAt = optionsAt + head;
    this.#memory.bytes(promptAt, prompt.length)!.set(prompt);
    return { promptAt, promptLength: prompt.length, optionsAt };
  }

  #emitAnswer(address: number): void {
    if (address !== 0) {
      const length = this.#memory.view(address, 4)?.getUint32(0, true);
      const bytes = length === undefined ? undefined : this.#memory.bytes(address + 4, length);
      if (!bytes) throw new Fault('failed', `generate returned ${address}, which is no answer inside its memory`);
      this.#stream(bytes);
    }
    this.#sendText({ last: true });
  }

  #imports(): Record<string, WebAssembly.ImportValue> {
    const refuse = () => GuestError.notSupported;
    const imports: Record<string, WebAssembly.ImportValue> = {};
    for (const name of unsupportedFunctions) imports[name] = refuse;
    return {
      ...imports,
      memory64_stats: () => BigInt(GuestError.notSupported),
      abort: (_message: number, _file: number, line: number, column: number) => {
        throw new Fault('trapped', `abort at line ${line >>> 0}, column ${column >>> 0} of its source`);
      },
      realm_stream_token: (address: number, length: number) => this.#streamToken(address, length),
      realm_host_generate: this.#waiting(this.#hostGenerate.bind(this)),
      realm_encode_tokens: this.#waiting(this.#encode.bind(this)),
      realm_decode_tokens: this.#waiting(this.#decode.bind(this)),
      realm_get_model_metadata: this.#waiting(this.#metadata.bind(this)),
    };
  }

  /** A host function during which the program is suspended; its turn begins again when `body` ends. */
  #waiting(body: (...args: Six) => Promise<number>): WebAssembly.ImportValue {
    return new Suspending(async (...args: number[]) => {
      this.#checkAlive();
      const { hostCalls } = this.#start.limits;
      if (++this.#hostCalls > hostCalls) {
        this.#kill(new Fault('failed', `made more than ${hostCalls} host calls (the tenant's host_calls)`));
      }
      await this.#readerCaughtUp();
      this.#checkAlive();
      const result = await body(...(args as Six));
      this.#checkAlive();
      return result;
    });
  }

  #streamToken(address: number, length: number): number {
    this.#checkAlive();
    const bytes = this.#memory?.bytes(address, length);
    if (!bytes) return GuestError.invalidPointer;
    this.#stream(bytes);
    return 0;
  }

  #stream(bytes: Uint8Array): void {
    this.#streamedBytes += bytes.length;
    const { outputBytes } = this.#start.limits;
    if (this.#streamedBytes > outputBytes) {
      this.#kill(new Fault('failed', `streamed more than ${outputBytes} bytes (the tenant's output_bytes)`));
      this.#checkAlive();
    }
    if (bytes.length > 0) this.#hostFailed = false;
    this.#streamed.append(bytes);
  }

  /** All that was streamed in one stretch of computing leaves as one piece: a million calls make no million messages. */
  #sendText({ last = false } = {}): void {
    const text = this.#decoder.decode(this.#streamed.take(), { stream: !last });
    if (text === '') return;
    this.#unread += text.length;
    this.#post({ kind: 'text', run: this.#start.run, text });
  }

  #send(message: FromGuest): void {
    this.#sendText();
    this.#post(message);
  }

  /** A program that is far ahead of whoever reads its text is held back when it next calls the host. */
  async #readerCaughtUp(): Promise<void> {
    this.#sendText();
    while (this.#unread > MAX_UNREAD_TEXT && !this.#fault) {
      await new Promise<void>(resolve => {
        this.#wakeReader = resolve;
      });
    }
  }

  async #hostGenerate(
    modelId: number,
    promptAt: number,
    promptLength: number,
    optionsAt: number,
    outAt: number,
    outLength: number,
  ): Promise<number> {
    if (this.#generating) return GuestError.busy;
    const prompt = readText(this.#memory, promptAt, promptLength);
    if (typeof prompt === 'number') return prompt;
    if (!this.#memory.holds(outAt, outLength)) return GuestError.invalidPointer;
    const options = readChangedOptions(this.#memory, optionsAt, this.#start.options);
    if (typeof options === 'number') return options;
    this.#generating = true;
    this.#generated = undefined;
    this.#send({
      kind: 'generate',
      run: this.#start.run,
      modelId: (modelId >>> 0) as ModelId,
      prompt,
      options,
      pieces: this.#autoStream ? 'stream' : this.#onToken ? 'send' : 'hold',
      keepBytes: outLength >>> 0,
    });
    const { code, text } = await this.#watch();
    this.#generating = false;
    this.#hostFailed = code < 0;
    return this.#hostFailed ? code : writeText(text, this.#memory.bytes(outAt, outLength)!);
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
        await this.#readerCaughtUp();
      }
      this.#checkAlive();
    }
    const { code, text } = this.#generated;
    return { code, text: stopped ? text.slice(0, offered) : text };
  }

  /** Calls realm_on_token, which may itself wait for the host; true when it asked to stop. */
  async #offer(piece: string): Promise<boolean> {
    try {
      const bytes = encodeText(piece);
      const address = this.#scratchFor(bytes.length);
      this.#memory.bytes(address, bytes.length)!.set(bytes);
      if ((await this.#onToken!(address, bytes.length)) === 0) return false;
    } catch (error) {
      // The outer call must not go on, whatever it catches.
      this.#kill(
        error instanceof Fault ? error : Fault.from(error, this.#memory.byteLength, this.#start.limits.memoryMb),
      );
      throw this.#fault;
    }
    if (this.#generated === undefined) this.#send({ kind: 'stop', run: this.#start.run });
    return true;
  }

  /** One place for all pieces, made larger when one does not fit: most allocators of small programs never free. */
  #scratchFor(length: number): number {
    if (length > this.#scratch.length || !this.#memory.holds(this.#scratch.address, length)) {
      const size = Math.max(256, 2 ** Math.ceil(Math.log2(length)));
      this.#scratch = { address: this.#place(size), length: size };
    }
    return this.#scratch.address;
  }

  async #encode(modelId: number, textAt: number, textLength: number, outAt: number, room: number): Promise<number> {
    const text = readText(this.#memory, textAt, textLength);
    if (typeof text === 'number') return text;
    const tokens = await this.#ask({ kind: 'encode', run: this.#start.run, modelId: (modelId >>> 0) as ModelId, text });
    return writeTokensAnswer(this.#memory, tokens, outAt, room);
  }

  async #decode(modelId: number, tokensAt: number, count: number, outAt: number, room: number): Promise<number> {
    const tokens = readTokens(this.#memory, tokensAt, count);
    if (typeof tokens === 'number') return tokens;
    const text = await this.#ask({ kind: 'decode', run: this.#start.run, modelId: (modelId >>> 0) as ModelId, tokens });
    return writeTextAnswer(this.#memory, text, outAt, room);
  }

  async #metadata(modelId: number, outAt: number, room: number): Promise<number> {
    const text = await this.#ask({ kind: 'metadata', run: this.#start.run, modelId: (modelId >>> 0) as ModelId });
    return writeTextAnswer(this.#memory, text, outAt, room);
  }

  async #ask(query: HostQuery): Promise<HostReply> {
    this.#send(query);
    const { promise, resolve, reject } = Promise.withResolvers<HostReply>();
    this.#query = { resolve, reject };
    try {
      return await promise;
    } finally {
      this.#query = undefined;
    }
  }

  async #nextMessage(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }

  /** Ends the run: whatever the program waits for fails, and so does every host call that it still makes. */
  #kill(fault: Fault): void {
    this.#fault ??= fault;
    this.#query?.reject(fault);
    this.#wake?.();
    this.#wakeReader?.();
  }

  #checkAlive(): void {
    if (this.#fault) throw this.#fault;
  }
}

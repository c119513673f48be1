import { GuestError, MAX_STOP_TOKENS, OPTIONS_BYTES, writeOptions } from './abi.ts';
import { ByteBuffer } from './byte-buffer.ts';
import { EnvFunctions } from './env-functions.ts';
import { FUEL, START } from './fuel/instrument.ts';
import { readChangedOptions, readText, readTokens, writeTextAnswer, writeTokensAnswer } from './guest-arguments.ts';
import { GuestFuel } from './guest-fuel.ts';
import { encodeText, GuestMemory, writeText } from './guest-memory.ts';
import type { GuestPlace } from './guest-place.ts';
import type { TurnWaiter } from './guest-turns.ts';
import { MAX_UNREAD_TEXT, PAGE_BYTES } from './limits.ts';
import type { FromGuest, HostQuery, HostReply, Outcome, ToGuest } from './messages.ts';
import type { ModelId } from './model-id.ts';
import { classify, Fault } from './outcome.ts';
import { SequenceGuest } from './v2/guest.ts';
import { sequenceImports } from './v2/imports.ts';
import { runInput } from './v2/input.ts';

/** Its prompt, which may be megabytes, is let go as soon as the program has it. */
type Start = Omit<Extract<ToGuest, { kind: 'start' }>, 'prompt'> & { prompt: string };
type Message = Exclude<ToGuest, { kind: 'compile' | 'start' | 'forget' | 'ping' }>;
type Export = (...args: number[]) => number;
/** An export that may be suspended. */
type Call = (...args: number[]) => Promise<number>;
/** The arguments of a host function: validation has seen to it that the module passes as many as it takes. */
type Six = [number, number, number, number, number, number];

// JavaScript Promise Integration (https://github.com/WebAssembly/js-promise-integration): the program calls a host
// function like any other and is suspended on a stack of its own until the promise settles, so one worker holds many.
const { promising, Suspending } = WebAssembly as unknown as {
  promising(wasm: Export): Call;
  Suspending: new (js: (...args: number[]) => number | Promise<number>) => WebAssembly.ImportValue;
};

/** One run of a program: its instance, and the host functions that it sees. Lives where the program runs. */
export class GuestRun {
  readonly #start: Start;
  readonly #module: WebAssembly.Module | undefined;
  readonly #place: GuestPlace;
  readonly #fuel: GuestFuel;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #memory!: GuestMemory;
  #alloc: Call | undefined;
  #onToken: Call | undefined;
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
  readonly #env: EnvFunctions;
  /** Of a program of ABI v2. */
  #sequences: SequenceGuest | undefined;
  #query: { resolve(value: HostReply): void; reject(error: Error): void } | undefined;

  /** Its turn, while it waits for that. */
  #turn: TurnWaiter | undefined;
  #refusedMemory = false;
  /** Fuel that its tenant has been charged. */
  #charged = 0;

  constructor(start: Start, module: WebAssembly.Module | undefined, place: GuestPlace) {
    this.#start = start;
    this.#module = module;
    this.#place = place;
    this.#fuel = new GuestFuel(start.limits.fuel);
    this.#env = new EnvFunctions({
      run: start.run,
      memory: () => this.#memory,
      ask: query => this.#ask(query),
      spend: units => this.#fuel.spend(units),
    });
  }

  /** The size of the program's memory. */
  get memoryBytes(): number {
    return this.#memory?.byteLength ?? 0;
  }

  /** Runs the program to its end; never throws. */
  async run(): Promise<Outcome> {
    try {
      await this.#call();
      return { kind: 'done', message: '', ...this.#use };
    } catch (error) {
      this.#sendText();
      const cause = classify(this.#fault ?? error, this.memoryBytes, this.#start.limits.memoryMb);
      if (this.#refusedMemory && cause.kind === 'trapped') {
        cause.kind = 'out_of_memory';
        cause.message += ', after its process had no memory left';
      }
      return { ...cause, ...this.#use };
    } finally {
      this.#charge();
      this.#place.memory.release(this.#start.run);
      this.#sequences?.close();
    }
  }

  get #use(): Omit<Outcome, 'kind' | 'message'> {
    return { fuel: this.#fuel.used, memory: this.memoryBytes, hostFailed: this.#hostFailed };
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
        this.#sequences?.receive(message);
    }
  }

  async #call(): Promise<void> {
    if (!this.#module) throw new Fault('failed', 'it was not compiled');
    await this.#myTurn();
    const imports = { env: this.#imports(), realm2: this.#realm2(), [FUEL]: this.#meter() };
    const { exports } = new WebAssembly.Instance(this.#module, imports);
    this.#memory = new GuestMemory(exports.memory as WebAssembly.Memory);
    if (!this.#place.memory.take(this.#start.run, this.memoryBytes)) {
      throw new Fault('out_of_memory', `its process has no ${this.memoryBytes} bytes left for it to begin with`);
    }
    if (exports[FUEL]) this.#fuel.attach(exports[FUEL] as WebAssembly.Global);
    const call = (name: string) => exports[name] && promising(exports[name] as Export);
    this.#alloc = call('realm_alloc');
    this.#onToken = call('realm_on_token');
    await call(START)?.();
    await call('realm_new')?.();
    this.#checkAlive();
    this.#autoStream = ((await call('realm_auto_stream')?.()) ?? 0) !== 0;
    const run = call('run');
    const answer = run ? await this.#run(run) : await this.#generate(call('generate')!);
    if (this.#fault) throw this.#fault;
    this.#emitAnswer(answer >>> 0);
  }

  async #generate(generate: Call): Promise<number> {
    const { promptAt, promptLength, optionsAt } = await this.#placeInput();
    return generate(promptAt, promptLength, this.#start.modelId, optionsAt);
  }

  /** Of ABI v2. */
  async #run(run: Call): Promise<number> {
    const input = encodeText(runInput(this.#start));
    this.#start.prompt = '';
    const address = await this.#room(input.length);
    this.#memory.bytes(address, input.length)!.set(input);
    return run(address, input.length);
  }

  #realm2(): Record<string, WebAssembly.ImportValue> {
    if (!WebAssembly.Module.imports(this.#module!).some(({ module }) => module === 'realm2')) return {};
    this.#sequences = new SequenceGuest({
      run: this.#start.run,
      seed: this.#start.options.seed,
      limits: this.#start.limits,
      memory: () => this.#memory,
      post: message => this.#send(message),
      stream: bytes => this.#stream(bytes),
      readerCaughtUp: () => this.#readerCaughtUp(),
      checkAlive: () => this.#checkAlive(),
      noteHost: failed => {
        this.#hostFailed = failed;
      },
      myTurn: () => this.#myTurn(),
      spend: units => this.#fuel.spend(units),
    });
    return sequenceImports(this.#sequences);
  }

  /** Finds room for `length` bytes in the guest's memory: by its own allocator if it has one, else in new pages. */
  async #room(length: number): Promise<number> {
    const address = this.#alloc ? (await this.#alloc(length)) >>> 0 : this.#addPages(length);
    if (address === undefined || (this.#alloc && address === 0)) {
      throw new Fault('out_of_memory', `no room for ${length} bytes of its input`);
    }
    if (!this.#memory.holds(address, length)) throw new Fault('failed', `realm_alloc(${length}) answered ${address}`);
    return address;
  }

  #addPages(length: number): number | undefined {
    const pages = this.#grow(Math.ceil(length / PAGE_BYTES));
    return pages < 0 ? undefined : pages * PAGE_BYTES;
  }

  /** What `memory.grow` is in a metered program: the place says whether there is memory left. */
  #grow(pages: number): number {
    const { run } = this.#start;
    const bytes = (pages >>> 0) * PAGE_BYTES;
    if (!this.#place.memory.take(run, bytes)) {
      this.#refusedMemory = true;
      return -1;
    }
    const before = this.#memory.grow(pages >>> 0);
    if (before === undefined) this.#place.memory.giveBack(run, bytes);
    return before ?? -1;
  }

  /** Places the options, their stop tokens and the prompt, one after the other. */
  async #placeInput(): Promise<{ promptAt: number; promptLength: number; optionsAt: number }> {
    const { options } = this.#start;
    const stopTokens = options.stopTokens.slice(0, MAX_STOP_TOKENS);
    const prompt = encodeText(this.#start.prompt);
    this.#start.prompt = '';
    const head = OPTIONS_BYTES + stopTokens.length * 4;
    const optionsAt = await this.#room(head + prompt.length);
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
      if (!bytes) throw new Fault('failed', `it returned ${address}, which is no answer inside its memory`);
      this.#stream(bytes);
    }
    this.#sendText({ last: true });
  }

  #imports(): Record<string, WebAssembly.ImportValue> {
    const waiting = Object.entries(this.#env.waiting).map(([name, body]) => [name, this.#waiting(body)]);
    return {
      ...this.#env.immediate,
      ...Object.fromEntries(waiting),
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

  /** Of a metered program. */
  #meter(): Record<string, WebAssembly.ImportValue> {
    return {
      refuel: new Suspending(async () => {
        await this.#refuel();
        return 0;
      }),
      grow: (pages: number) => this.#grow(pages),
    };
  }

  /** It has used up its slice: others have their turn first. */
  async #refuel(): Promise<void> {
    this.#checkAlive();
    do {
      if (this.#fuel.isSpent) {
        this.#kill(new Fault('out_of_fuel', `used more than ${this.#start.limits.fuel} of fuel`));
        this.#checkAlive();
      }
      await this.#wait({ spent: true });
    } while (!this.#fuel.refill());
  }

  /** A guest that has got an answer goes on at once where no other waits. */
  #myTurn(): Promise<void> | undefined {
    return this.#place.turns === undefined || this.#place.turns.free ? undefined : this.#wait({ spent: false });
  }

  async #wait({ spent }: { spent: boolean }): Promise<void> {
    this.#charge();
    const { tenant } = this.#start;
    await new Promise<void>(go => {
      this.#turn = { tenant, spent, go };
      this.#place.turns?.add(this.#turn);
    });
    this.#turn = undefined;
    this.#checkAlive();
  }

  #charge(): void {
    const { used } = this.#fuel;
    this.#place.turns?.charge(this.#start.tenant, used - this.#charged);
    this.#charged = used;
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
      await this.#myTurn();
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
    this.#place.post({ kind: 'text', run: this.#start.run, text });
  }

  #send(message: FromGuest): void {
    this.#sendText();
    this.#place.post(message);
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
      adapter: this.#env.adapterOf(modelId),
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
      const address = await this.#scratchFor(bytes.length);
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
  async #scratchFor(length: number): Promise<number> {
    if (length > this.#scratch.length || !this.#memory.holds(this.#scratch.address, length)) {
      const size = Math.max(256, 2 ** Math.ceil(Math.log2(length)));
      this.#scratch = { address: await this.#room(size), length: size };
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
    await this.#myTurn();
  }

  /** Ends the run: whatever the program waits for fails, and so does every host call that it still makes. */
  #kill(fault: Fault): void {
    this.#fault ??= fault;
    this.#query?.reject(fault);
    this.#sequences?.kill(fault);
    this.#wake?.();
    this.#wakeReader?.();
    if (this.#turn) this.#place.turns?.remove(this.#turn);
    this.#turn?.go();
  }

  #checkAlive(): void {
    if (this.#fault) throw this.#fault;
  }
}

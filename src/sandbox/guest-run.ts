import { GuestError, MAX_STOP_TOKENS, OPTIONS_BYTES, writeOptions } from './abi.ts';
import { EnvFunctions } from './env-functions.ts';
import { FUEL, START } from './fuel/instrument.ts';
import { GuestGeneration } from './guest-generation.ts';
import { encodeText, GuestMemory } from './guest-memory.ts';
import { GuestOutput } from './guest-output.ts';
import type { GuestPlace } from './guest-place.ts';
import { GuestRoom } from './guest-room.ts';
import { GuestTime } from './guest-time.ts';
import type { FromGuest, HostQuery, HostReply, Outcome, ToGuest } from './messages.ts';
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
  readonly #time: GuestTime;
  readonly #output: GuestOutput;
  readonly #generation: GuestGeneration;
  #memory!: GuestMemory;
  readonly #room: GuestRoom;
  #fault: Fault | undefined;
  #hostCalls = 0;
  #hostFailed = false;
  readonly #env: EnvFunctions;
  /** Of a program of ABI v2. */
  #sequences: SequenceGuest | undefined;
  #query: { resolve(value: HostReply): void; reject(error: Error): void } | undefined;

  constructor(start: Start, module: WebAssembly.Module | undefined, place: GuestPlace) {
    this.#start = start;
    this.#module = module;
    this.#place = place;
    this.#time = new GuestTime(start, start.limits.fuel, place.turns);
    this.#room = new GuestRoom(start.run, place.memory);
    this.#output = new GuestOutput(start.run, start.limits.outputBytes, message => place.post(message));
    this.#env = new EnvFunctions({
      run: start.run,
      memory: () => this.#memory,
      ask: query => this.#ask(query),
      spend: units => this.#time.fuel.spend(units),
    });
    this.#generation = new GuestGeneration({
      run: start.run,
      options: start.options,
      memory: () => this.#memory,
      room: length => this.#room.find(length),
      send: message => this.#send(message),
      adapterOf: modelId => this.#env.adapterOf(modelId),
      caughtUp: () => this.#output.caughtUp(),
      next: () => this.#time.next(),
      checkAlive: () => this.#checkAlive(),
      noteHost: failed => this.#noteHost(failed),
      fail: error => this.#fail(error),
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
      this.#output.send();
      const cause = classify(this.#fault ?? error, this.memoryBytes, this.#start.limits.memoryMb);
      if (this.#room.refused && cause.kind === 'trapped') {
        cause.kind = 'out_of_memory';
        cause.message += ', after its process had no memory left';
      }
      return { ...cause, ...this.#use };
    } finally {
      this.#time.charge();
      this.#place.memory.release(this.#start.run);
      this.#sequences?.close();
    }
  }

  get #use(): Omit<Outcome, 'kind' | 'message'> {
    return { fuel: this.#time.fuel.used, memory: this.memoryBytes, hostFailed: this.#hostFailed };
  }

  receive(message: Message): void {
    switch (message.kind) {
      case 'text':
        this.#generation.piece(message.text);
        break;
      case 'generated':
        this.#generation.ended(message);
        break;
      case 'reply':
        this.#query?.resolve(message.value);
        break;
      case 'read':
        this.#output.read(message.length);
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
    await this.#time.next();
    this.#checkAlive();
    const imports = { env: this.#imports(), realm2: this.#realm2(), [FUEL]: this.#meter() };
    const { exports } = new WebAssembly.Instance(this.#module, imports);
    this.#memory = new GuestMemory(exports.memory as WebAssembly.Memory);
    this.#room.attach(this.#memory);
    if (exports[FUEL]) this.#time.fuel.attach(exports[FUEL] as WebAssembly.Global);
    const call = (name: string) => exports[name] && promising(exports[name] as Export);
    this.#room.use(call('realm_alloc'));
    this.#generation.onToken = call('realm_on_token');
    await call(START)?.();
    await call('realm_new')?.();
    this.#checkAlive();
    this.#generation.autoStream = ((await call('realm_auto_stream')?.()) ?? 0) !== 0;
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
    return run(await this.#room.put(input), input.length);
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
      readerCaughtUp: () => this.#output.caughtUp(),
      checkAlive: () => this.#checkAlive(),
      noteHost: failed => this.#noteHost(failed),
      myTurn: () => this.#time.next()?.then(() => this.#checkAlive()),
      fuelLeft: () => this.#time.fuel.left,
      spend: units => this.#time.fuel.spend(units),
    });
    return sequenceImports(this.#sequences);
  }

  /** Places the options, their stop tokens and the prompt, one after the other. */
  async #placeInput(): Promise<{ promptAt: number; promptLength: number; optionsAt: number }> {
    const { options } = this.#start;
    const stopTokens = options.stopTokens.slice(0, MAX_STOP_TOKENS);
    const prompt = encodeText(this.#start.prompt);
    this.#start.prompt = '';
    const head = OPTIONS_BYTES + stopTokens.length * 4;
    const optionsAt = await this.#room.find(head + prompt.length);
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
    this.#output.send({ last: true });
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
      realm_host_generate: this.#waiting((...args) => this.#generation.generate(...args)),
    };
  }

  /** Of a metered program. */
  #meter(): Record<string, WebAssembly.ImportValue> {
    return {
      refuel: new Suspending(async () => {
        await this.#time.refuel(() => this.#checkAlive()).catch(error => this.#fail(error));
        return 0;
      }),
      grow: (pages: number) => this.#room.grow(pages),
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
      await this.#output.caughtUp();
      this.#checkAlive();
      const result = await body(...(args as Six));
      await this.#time.next();
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
    try {
      this.#output.write(bytes);
    } catch (error) {
      this.#fail(error);
    }
    if (bytes.length > 0) this.#hostFailed = false;
  }

  #send(message: FromGuest): void {
    this.#output.send();
    this.#place.post(message);
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

  /** Ends the run: whatever the program waits for fails, and so does every host call that it still makes. */
  #kill(fault: Fault): void {
    this.#fault ??= fault;
    this.#query?.reject(fault);
    this.#sequences?.kill(fault);
    this.#generation.stop();
    this.#output.end();
    this.#time.end();
  }

  /** Ends it for what was thrown, of the program's own too. */
  #fail(error: unknown): never {
    this.#kill(error instanceof Fault ? error : Fault.from(error, this.memoryBytes, this.#start.limits.memoryMb));
    throw this.#fault;
  }

  #noteHost(failed: boolean): void {
    this.#hostFailed = failed;
  }

  #checkAlive(): void {
    if (this.#fault) throw this.#fault;
  }
}

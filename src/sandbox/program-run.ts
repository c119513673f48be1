import { RealmError } from '../errors.ts';
import { GuestError } from './abi.ts';
import { Channel } from './channel.ts';
import { closedError, type GuestHost, type HostedRun, type Loss } from './guest-host.ts';
import { HANG_MS, MAX_UNREAD_PIECES } from './limits.ts';
import type { FromGuest, HostQuery, HostReply, Outcome } from './messages.ts';
import type { QueryPace } from './query-pace.ts';
import { sleep } from './sleep.ts';
import { StreamPace } from './stream-pace.ts';
import type { ProgramCall, ProgramLimits } from './types.ts';
import type { FromSequences } from './v2/messages.ts';
import { SequenceRun } from './v2/sequence-run.ts';

/** Nobody looks at why: a reason of its own would be made, with a stack, for every request. */
const ended = new RealmError('request_cancelled', 'The program has ended.');

type Generate = Extract<FromGuest, { kind: 'generate' }>;

/** A piece of the answer. `own`: the program made it, and is told when it was read. */
interface Piece {
  readonly text: string;
  readonly own: boolean;
  /** It is no text of the answer but this. */
  readonly emitted?: Extract<FromSequences, { kind: 'emit' }>['what'];
}

/** What all runs of a sandbox have together. */
export interface SharedByRuns {
  readonly queries: QueryPace;
  /** Those of ABI v2 that the host has not ended. */
  readonly submissions: { open: number };
}

/** The server's side of one run: answers the program's host calls and collects what it streams. */
export class ProgramRun implements HostedRun {
  readonly #pieces = new Channel<Piece>(MAX_UNREAD_PIECES);
  readonly #pace: StreamPace;
  readonly sliceMs: number;
  readonly #call: ProgramCall;
  readonly #id: number;
  readonly #over = new AbortController();
  readonly #sequences: SequenceRun;
  #place: GuestHost | undefined;
  #generation: AbortController | undefined;
  #hostError: unknown;
  readonly #queries: QueryPace;
  /** Nobody has heard of it, and it has not been begun twice: if its process is lost it can begin in another one. */
  #canBeginAgain: boolean;
  /** Called once when the worker has nothing more to do with this run. */
  onSettled: () => void = () => {};
  /** Begins it in another place. */
  again: () => void = () => {};

  constructor(id: number, call: ProgramCall, { queries, submissions }: SharedByRuns) {
    this.#id = id;
    this.#call = call;
    this.#queries = queries;
    this.#pace = new StreamPace(() => this.#pieces.wake(), call.streamMs);
    this.#canBeginAgain = !call.program.trusted;
    // A process that tenants share only hangs by a fault of V8 or ours: nothing that a metered guest does takes so long.
    this.sliceMs = call.program.trusted ? call.limits.sliceMs : HANG_MS;
    this.#sequences = new SequenceRun({
      host: call.host,
      run: id,
      over: this.over,
      send: message => this.#place!.send(message),
      stream: text => this.#stream(text),
      emit: ({ what, text }) => this.#pieces.push({ text, own: false, emitted: what }),
      failed: error => {
        this.#hostError = error;
      },
      submissions,
      delayMs: () => queries.delayMs(call.tenant),
    });
  }

  /** Aborted as soon as the run has ended for its caller; the worker may need a moment more. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** The next piece of what the program streams, empty behind what it emitted beside that; undefined when it has ended. */
  async read(): Promise<string | undefined> {
    const piece = await this.#pieces.take();
    if (piece?.own) this.#place!.send({ kind: 'read', run: this.#id, length: piece.text.length });
    if (!piece?.emitted) return piece?.text;
    this.#call.host.sequences?.emit(piece.emitted, piece.text);
    return '';
  }

  /** Begins in a place where the program has been compiled. */
  start(place: GuestHost, digest: string): void {
    if (this.#pieces.ended) {
      this.onSettled();
      return;
    }
    const { tenant, weight, prompt, modelId, options, limits, kind } = this.#call;
    this.#place = place;
    place.attach(this.#id, this);
    place.send({ kind: 'start', run: this.#id, tenant, weight, digest, prompt, modelId, options, limits, input: kind });
  }

  /** Ends the run early: what it generates is stopped, what it streamed but nobody read is dropped. */
  cancel(error: unknown): void {
    if (this.#pieces.ended) return;
    this.#pieces.fail(error, { drop: true });
    this.#end();
    this.#place?.send({ kind: 'cancel', run: this.#id });
  }

  receive(message: FromGuest): void {
    if (message.kind !== 'end') this.#canBeginAgain = false;
    switch (message.kind) {
      case 'text':
        for (const text of slices(message.text)) this.#say({ text, own: true });
        break;
      case 'generate':
        void this.#generate(message);
        break;
      case 'stop':
        this.#generation?.abort(ended);
        break;
      case 'end':
        this.#finish(message.outcome);
        break;
      case 'compiled':
        break;
      case 'encode':
      case 'decode':
      case 'metadata':
      case 'find':
      case 'adapter':
        void this.#answer(message);
        break;
      default:
        this.#sequences.receive(message);
    }
  }

  lost(loss: Loss): void {
    this.onSettled();
    if (this.#pieces.ended) return;
    if (this.#canBeginAgain && loss.kind !== 'closed') {
      this.#canBeginAgain = false;
      this.again();
      return;
    }
    const { name } = this.#call.program;
    if (loss.kind === 'closed') this.#pieces.fail(closedError());
    else this.#pieces.fail(new RealmError('program_failed', `Program ${name}: ${loss.message}.`));
    this.#end();
  }

  async #generate({ modelId, prompt, adapter, options, pieces, keepBytes }: Generate): Promise<void> {
    if (this.#pieces.ended) return;
    const generation = new AbortController();
    const call = { modelId, prompt, options, ...(adapter !== undefined && { adapter }) };
    this.#generation = generation;
    let code = 0;
    let answer = '';
    const take = (text: string): Promise<void> | undefined => {
      generation.signal.throwIfAborted();
      if (answer.length < keepBytes) answer += text;
      this.#deliver(text, pieces);
      return this.#pieces.hasRoom && this.#place!.hasRoom ? undefined : this.#room();
    };
    try {
      await this.#call.host.generate(call, generation.signal, take);
    } catch (error) {
      if (!generation.signal.aborted) code = this.#failed(error);
    }
    this.#place!.send({ kind: 'generated', run: this.#id, code, text: answer });
  }

  #deliver(text: string, pieces: Generate['pieces']): void {
    if (pieces === 'send') this.#place!.send({ kind: 'text', run: this.#id, text });
    else if (pieces === 'stream') this.#say({ text, own: false });
  }

  #say(piece: Piece): void {
    this.#pieces.add(piece);
    if (piece.text.length > LONG_PIECE || !this.#pieces.hasRoom) this.#pace.flush();
    else this.#pace.put();
  }

  async #room(): Promise<void> {
    await this.#pieces.room();
    await this.#place!.room();
  }

  #stream(text: string): Promise<void> | undefined {
    this.#say({ text, own: false });
    return this.#pieces.hasRoom ? undefined : this.#pieces.room();
  }

  #failed(error: unknown): number {
    this.#hostError = error;
    return guestCode(error);
  }

  async #answer(query: HostQuery): Promise<void> {
    const delayMs = this.#queries.delayMs(this.#call.tenant);
    if (delayMs >= 1) await sleep(delayMs);
    if (this.#pieces.ended) return;
    this.#place!.send({ kind: 'reply', run: this.#id, value: await this.#lookUp(query) });
  }

  async #lookUp(query: HostQuery): Promise<HostReply> {
    const { host } = this.#call;
    try {
      switch (query.kind) {
        case 'encode':
          return await host.encode(query.modelId, query.text);
        case 'decode':
          return await host.decode(query.modelId, query.tokens);
        case 'metadata':
          return await host.metadata(query.modelId);
        case 'find':
          return (await host.find?.(query.name)) ?? GuestError.notSupported;
        case 'adapter':
          await host.checkAdapter?.(query.modelId, query.name);
          return host.checkAdapter ? 0 : GuestError.notSupported;
      }
    } catch (error) {
      return guestCode(error);
    }
  }

  #finish(outcome: Outcome): void {
    const { program, limits } = this.#call;
    this.#call.used?.({ fuel: outcome.fuel, memory: outcome.memory });
    if (outcome.hostFailed && outcome.kind !== 'killed' && outcome.kind !== 'out_of_fuel')
      this.#pieces.fail(this.#hostError);
    else if (outcome.kind === 'done') this.#pieces.close();
    else this.#pieces.fail(outcomeError(outcome, program.name, limits));
    this.#end();
    this.onSettled();
  }

  #end(): void {
    this.#pace.flush();
    this.#over.abort(ended);
    this.#generation?.abort(ended);
    this.#sequences.end();
  }
}

/** So many characters need not wait for others. */
const LONG_PIECE = 1_000;
/** A program may stream megabytes in one piece; so much is written at a time. */
const SLICE_CHARACTERS = 16_384;

function* slices(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    let end = Math.min(at + SLICE_CHARACTERS, text.length);
    // Never between the halves of a surrogate pair.
    if (end < text.length && (text.charCodeAt(end) & 0xfc00) === 0xdc00) end--;
    yield text.slice(at, end);
    at = end;
  }
}

function outcomeError({ kind, message }: Outcome, name: string, { memoryMb }: ProgramLimits): RealmError {
  switch (kind) {
    case 'trapped':
      return new RealmError('program_trapped', `Program ${name} trapped: ${message}.`);
    case 'out_of_memory':
      return new RealmError(
        'program_out_of_memory',
        `Program ${name} ran out of memory: ${message}. Let it use less, or raise the tenant's memory_mb (${memoryMb}).`,
      );
    case 'out_of_fuel':
      return new RealmError(
        'program_out_of_fuel',
        `Program ${name} ${message}. Let it compute less, or raise the tenant's program_limits.fuel.`,
      );
    default:
      return new RealmError('program_failed', `Program ${name} failed: ${message}.`);
  }
}

function guestCode(error: unknown): number {
  if (!(error instanceof RealmError)) return GuestError.generationFailed;
  if (error.code === 'model_not_found' || error.code === 'adapter_not_found') return GuestError.modelNotFound;
  if (error.code === 'context_length_exceeded') return GuestError.contextTooLong;
  return error.code === 'invalid_request' ? GuestError.invalidArgument : GuestError.generationFailed;
}

import { RealmError } from '../errors.ts';
import { GuestError } from './abi.ts';
import { Channel } from './channel.ts';
import { MAX_UNREAD_PIECES } from './limits.ts';
import type { FromWorker, HostQuery, HostReply, Outcome } from './messages.ts';
import type { Loss, SandboxWorker, WorkerRun } from './sandbox-worker.ts';
import type { ProgramCall } from './types.ts';

type Generate = Extract<FromWorker, { kind: 'generate' }>;

/** The main thread's side of one run: answers the program's host calls and collects what it streams. */
export class ProgramRun implements WorkerRun {
  readonly text = new Channel<string>(MAX_UNREAD_PIECES);
  readonly sliceMs: number;
  readonly #call: ProgramCall;
  readonly #id: number;
  readonly #over = new AbortController();
  #worker: SandboxWorker | undefined;
  #generation: AbortController | undefined;
  #hostError: unknown;
  /** Called once when the worker has nothing more to do with this run. */
  onSettled: () => void = () => {};

  constructor(id: number, call: ProgramCall) {
    this.#id = id;
    this.#call = call;
    this.sliceMs = call.limits.sliceMs;
  }

  /** Aborted as soon as the run has ended for its caller; the worker may need a moment more. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  start(worker: SandboxWorker, module: WebAssembly.Module): void {
    if (this.text.ended) {
      this.onSettled();
      return;
    }
    const { prompt, modelId, options, limits } = this.#call;
    this.#worker = worker;
    worker.attach(this.#id, this);
    worker.send({ kind: 'start', run: this.#id, module, prompt, modelId, options, memoryMb: limits.memoryMb });
  }

  /** Ends the run early: what it generates is stopped, what it streamed but nobody read is dropped. */
  cancel(error: unknown): void {
    if (this.text.ended) return;
    this.text.fail(error, { drop: true });
    this.#end();
    this.#worker?.send({ kind: 'cancel', run: this.#id });
  }

  receive(message: FromWorker): void {
    switch (message.kind) {
      case 'text':
        this.text.push(message.text);
        break;
      case 'generate':
        void this.#generate(message);
        break;
      case 'stop':
        this.#generation?.abort();
        break;
      case 'end':
        this.#finish(message.outcome);
        break;
      default:
        void this.#answer(message);
    }
  }

  lost(loss: Loss): void {
    const { trusted, name } = this.#call.program;
    if (loss.kind === 'closed') this.text.fail(new RealmError('shutting_down', 'The server is shutting down.'));
    else this.text.fail(new RealmError(lossCode(loss, trusted), `Program ${name}: ${loss.message}.`));
    this.#end();
    this.onSettled();
  }

  async #generate({ modelId, prompt, options, pieces, keepBytes }: Generate): Promise<void> {
    if (this.text.ended) return;
    const generation = new AbortController();
    this.#generation = generation;
    let code = 0;
    let answer = '';
    try {
      for await (const text of this.#call.host.generate({ modelId, prompt, options }, generation.signal)) {
        if (generation.signal.aborted) break;
        if (answer.length < keepBytes) answer += text;
        if (text !== '') this.#deliver(text, pieces);
        await this.text.room();
      }
    } catch (error) {
      if (!generation.signal.aborted) code = this.#failed(error);
    }
    this.#worker!.send({ kind: 'generated', run: this.#id, code, text: answer });
  }

  #deliver(text: string, pieces: Generate['pieces']): void {
    if (pieces === 'send') this.#worker!.send({ kind: 'text', run: this.#id, text });
    else if (pieces === 'stream') this.text.push(text);
  }

  #failed(error: unknown): number {
    this.#hostError = error;
    return guestCode(error);
  }

  async #answer(query: HostQuery): Promise<void> {
    const value = await this.#lookUp(query);
    this.#worker!.send({ kind: 'reply', run: this.#id, value });
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
          return host.metadata(query.modelId);
      }
    } catch (error) {
      return guestCode(error);
    }
  }

  #finish(outcome: Outcome): void {
    const { program, limits } = this.#call;
    if (outcome.hostFailed && outcome.kind !== 'killed') this.text.fail(this.#hostError);
    else if (outcome.kind === 'done') this.text.close();
    else this.text.fail(outcomeError(outcome, program.name, limits.memoryMb));
    this.#end();
    this.onSettled();
  }

  #end(): void {
    this.#over.abort();
    this.#generation?.abort();
  }
}

function lossCode(loss: Loss, trusted: boolean) {
  if (loss.kind === 'out_of_memory') return 'program_out_of_memory';
  // Many runs share a trusted worker, and which of them hung cannot be told.
  return loss.kind === 'hung' && !trusted ? 'program_deadline' : 'program_failed';
}

function outcomeError({ kind, message }: Outcome, name: string, memoryMb: number): RealmError {
  switch (kind) {
    case 'trapped':
      return new RealmError('program_trapped', `Program ${name} trapped: ${message}.`);
    case 'out_of_memory':
      return new RealmError(
        'program_out_of_memory',
        `Program ${name} ran out of memory: ${message}. Let it use less, or raise the tenant's memory_mb (${memoryMb}).`,
      );
    default:
      return new RealmError('program_failed', `Program ${name} failed: ${message}.`);
  }
}

function guestCode(error: unknown): number {
  if (!(error instanceof RealmError)) return GuestError.generationFailed;
  if (error.code === 'model_not_found') return GuestError.modelNotFound;
  if (error.code === 'context_length_exceeded') return GuestError.contextTooLong;
  return error.code === 'invalid_request' ? GuestError.invalidArgument : GuestError.generationFailed;
}

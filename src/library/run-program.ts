import type { GenerateRequest } from '../engine/request.ts';
import { RealmError } from '../errors.ts';
import type { AnswerDelta } from '../llm/answer-reader.ts';
import type { LoadedModel } from '../llm/load.ts';
import { ChoiceReader } from '../llm/program/choice-reader.ts';
import { Emitted } from '../llm/program/emitted.ts';
import { guestOptions } from '../llm/program/options.ts';
import { checkRange, ranges } from '../ranges.ts';
import type { Program as LoadedProgram, ProgramLimits as RunLimits, Sandbox } from '../sandbox/types.ts';
import { limitBounds } from '../tenancy/program-limits.ts';
import { tenantDefaults } from '../tenancy/tenants.ts';
import { throwIfCancelled } from './generation.ts';
import { Program } from './load-program.ts';
import { programHost } from './program-host.ts';
import { type ReadInput, readInput } from './program-input.ts';
import type { ProgramInput, ProgramLimits, RunAnswer, RunChunk, RunOptions, ToolCall } from './program-options.ts';
import { LibraryRun, ownModel } from './program-run.ts';
import { SavedSequences } from './saved-sequences.ts';

/** The programs of one model: where they run, and what they have saved. */
export class ProgramRunner {
  readonly #model: LoadedModel;
  readonly #adapters: ReadonlySet<string>;
  readonly #makeSandbox: () => Sandbox;
  readonly #saved = new SavedSequences();
  /** By their memory: a module has its limit in itself. */
  readonly #loaded = new WeakMap<Program, Map<number, Promise<LoadedProgram>>>();
  #sandbox: Sandbox | undefined;

  /** `adapters`: the model's, by name. Nothing is started before the first run. */
  constructor(model: LoadedModel, adapters: ReadonlySet<string>, makeSandbox: () => Sandbox) {
    this.#model = model;
    this.#adapters = adapters;
    this.#makeSandbox = makeSandbox;
  }

  /** `signal`: of the caller, or of readers who have left. */
  async *run(
    program: Program,
    input: ProgramInput,
    options: RunOptions,
    asked: Omit<GenerateRequest<string>, 'prompt'>,
    signal: AbortSignal,
  ): AsyncGenerator<RunChunk, RunAnswer> {
    const read = readInput(input);
    const run = this.#begun(read, options, asked);
    let use = { fuel: 0, memory: 0 };
    const text = this.#open().run({
      ...{ tenant: asked.tenant, kind: read.kind, prompt: read.prompt, limits: run.asked.limits, signal },
      program: await this.#load(program, run.asked.limits.memoryMb),
      modelId: ownModel,
      options: guestOptions(this.#model, run.asked.request),
      host: programHost(run),
      used: used => {
        use = used;
      },
    });
    const said = new Said();
    const reader = new ChoiceReader(run.asked, run, run.asked.emitted);
    try {
      for await (const piece of text) yield* said.all(reader.read(piece));
      yield* said.all(reader.end());
      return { ...said.answer, finishReason: run.reason, usage: run.usage, ...use };
    } catch (error) {
      // Readers who have left get what there is.
      if (!signal.aborted) throw error;
      throwIfCancelled(options.signal);
      return { ...said.answer, finishReason: 'cancelled', usage: run.usage, ...use };
    }
  }

  async close(): Promise<void> {
    await this.#sandbox?.close();
  }

  /** Throws `invalid_request` for what is out of bounds. */
  #begun({ kind, prompt, tools }: ReadInput, options: RunOptions, asked: Omit<GenerateRequest<string>, 'prompt'>) {
    for (const key of numbers) checkRange(options[key], ranges[key]);
    const chat = kind === 'chat';
    return new LibraryRun({
      model: this.#model,
      adapters: this.#adapters,
      // A call is answered as a completion is: with text.
      kind: chat ? 'chat' : 'completion',
      request: { ...asked, prompt },
      tools,
      options,
      limits: limitsOf(options.limits),
      emitted: new Emitted({ chat, events: true }),
      saved: this.#saved,
    });
  }

  #open(): Sandbox {
    this.#sandbox ??= this.#makeSandbox();
    return this.#sandbox;
  }

  #load(program: Program, memoryMb: number): Promise<LoadedProgram> {
    if (!(program instanceof Program))
      throw new RealmError('invalid_request', 'program: must be one of loadProgram', { param: 'program' });
    const known = this.#loaded.get(program) ?? new Map<number, Promise<LoadedProgram>>();
    this.#loaded.set(program, known);
    const loading = known.get(memoryMb) ?? this.#open().load(program.name, program.bytes, { memoryMb });
    known.set(memoryMb, loading);
    // It may be let in another time.
    loading.catch(() => known.delete(memoryMb));
    return loading;
  }
}

/** What a program has said until now. */
class Said {
  #text = '';
  #reasoning = '';
  readonly #calls: ToolCall[] = [];

  get answer(): Pick<RunAnswer, 'text' | 'reasoning' | 'calls'> {
    return { text: this.#text, reasoning: this.#reasoning, calls: this.#calls.filter(call => call !== undefined) };
  }

  all(deltas: readonly AnswerDelta[]): RunChunk[] {
    return deltas.flatMap(delta => this.#one(delta));
  }

  #one({ content = '', reasoning = '', calls = [], event }: AnswerDelta): RunChunk[] {
    this.#text += content;
    this.#reasoning += reasoning;
    for (const { index, id = '', name = '', arguments: more } of calls) {
      const { arguments: before = '', ...known } = this.#calls[index] ?? { id, name };
      this.#calls[index] = { ...known, arguments: before + more };
    }
    return [
      ...(content === '' ? [] : [{ kind: 'text', text: content } as const]),
      ...(reasoning === '' ? [] : [{ kind: 'reasoning', text: reasoning } as const]),
      ...calls.map(call => ({ kind: 'call', ...call }) as const),
      ...(event === undefined ? [] : [{ kind: 'event', event } as const]),
    ];
  }
}

const numbers = [
  'temperature',
  'topK',
  'topP',
  'repetitionPenalty',
  'seed',
  'maxTokens',
  'priority',
  'queueMs',
] as const;

/** Throws `invalid_request` for what is out of bounds. */
function limitsOf(said: ProgramLimits = {}): RunLimits {
  const { memoryMb, deadlineMs, programLimits } = tenantDefaults;
  const limits = { memoryMb, deadlineMs, ...programLimits, ...definedOf(said) };
  for (const key of Object.keys(limitBounds) as (keyof ProgramLimits)[]) {
    const [min, max] = limitBounds[key];
    checkRange(limits[key], { min, max, integer: true, field: `limits.${key}` });
  }
  return { ...limits, sliceMs: limits.deadlineMs };
}

const definedOf = (said: ProgramLimits): ProgramLimits =>
  Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));

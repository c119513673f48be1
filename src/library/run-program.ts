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
import { readInput } from './program-input.ts';
import type { ProgramInput, ProgramLimits, RunAnswer, RunChunk, RunOptions, ToolCall } from './program-options.ts';
import { LibraryRun, ownModel } from './program-run.ts';
import { SavedSequences } from './saved-sequences.ts';

/** The programs of one model: where they run, and what they have saved. */
export class ProgramRunner {
  readonly #model: LoadedModel;
  readonly #makeSandbox: () => Sandbox;
  readonly #saved = new SavedSequences();
  /** By their memory: a module has its limit in itself. */
  readonly #loaded = new WeakMap<Program, Map<number, Promise<LoadedProgram>>>();
  #sandbox: Sandbox | undefined;

  /** Nothing is started before the first run. */
  constructor(model: LoadedModel, makeSandbox: () => Sandbox) {
    this.#model = model;
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
    if (!(program instanceof Program))
      throw new RealmError('invalid_request', 'program: must be one of loadProgram', { param: 'program' });
    const { kind, prompt, tools } = readInput(input);
    const limits = limitsOf(options.limits);
    for (const key of numbers) checkRange(options[key], ranges[key]);
    const request = { ...asked, prompt };
    const of = kind === 'chat' ? 'chat' : 'completion';
    const emitted = new Emitted({ chat: of === 'chat', events: true });
    const parts = {
      model: this.#model,
      kind: of,
      request,
      tools,
      options,
      limits,
      emitted,
      saved: this.#saved,
    } as const;
    const run = new LibraryRun(parts);
    let use = { fuel: 0, memory: 0 };
    const text = this.#open().run({
      ...{ tenant: request.tenant, program: await this.#load(program, limits.memoryMb), limits, kind, prompt, signal },
      modelId: ownModel,
      options: guestOptions(this.#model, request),
      host: programHost(run),
      used: used => {
        use = used;
      },
    });
    const said = new Said();
    const reader = new ChoiceReader({ kind: of, model: this.#model, tools }, run, emitted);
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

  #open(): Sandbox {
    this.#sandbox ??= this.#makeSandbox();
    return this.#sandbox;
  }

  #load(program: Program, memoryMb: number): Promise<LoadedProgram> {
    const known = this.#loaded.get(program) ?? new Map<number, Promise<LoadedProgram>>();
    this.#loaded.set(program, known);
    const loading = known.get(memoryMb) ?? this.#open().load(program.name, program.bytes, { memoryMb });
    known.set(memoryMb, loading);
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

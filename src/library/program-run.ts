import type { EngineUsage, FinishReason, GenerateRequest } from '../engine/request.ts';
import { RealmError } from '../errors.ts';
import type { Place } from '../llm/answer-reader.ts';
import type { LoadedModel } from '../llm/load.ts';
import { ChargedTokens } from '../llm/program/charged-tokens.ts';
import type { Emitted } from '../llm/program/emitted.ts';
import type { TextEnd } from '../llm/types.ts';
import { addUsage, noUsage } from '../llm/usage.ts';
import type { ToolUse } from '../output-format/constraint-source.ts';
import type { ModelId } from '../sandbox/model-id.ts';
import type { ProgramLimits } from '../sandbox/types.ts';
import type { RunOptions } from './program-options.ts';
import type { SavedSequences } from './saved-sequences.ts';

/** What a program is run for. */
export interface Asked {
  readonly model: LoadedModel;
  /** That it has. */
  readonly adapters: ReadonlySet<string>;
  readonly kind: 'chat' | 'completion';
  /** The caller's; its prompt is the program's input. */
  readonly request: GenerateRequest<string>;
  /** That the answer may call. */
  readonly tools: ToolUse | undefined;
  readonly options: Pick<RunOptions, 'tools' | 'onLog'>;
  readonly limits: ProgramLimits;
  readonly emitted: Emitted;
  readonly saved: SavedSequences;
}

/** There is one model. */
export const ownModel = 1 as ModelId;

/** One run of a program in the library: what it has asked of the model by now. */
export class LibraryRun {
  readonly asked: Asked;
  readonly charged = new ChargedTokens();
  /** The prompt of the first call had begun the model's thoughts. */
  inReasoning: boolean | undefined;
  /** Where they stand in the text. */
  thoughts: readonly Place[] = [];
  usage: EngineUsage = noUsage;
  reason: FinishReason = 'stop';
  /** Some of what was generated went to the caller. */
  streamed = false;
  #calls = 0;

  constructor(asked: Asked) {
    this.asked = asked;
  }

  /** Throws `model_not_found` for a number that is none's. */
  find(modelId: ModelId): LoadedModel {
    if (modelId === ownModel) return this.asked.model;
    throw new RealmError('model_not_found', `The program asked for model ${modelId}, which does not exist`);
  }

  /** An empty name: the run's own. Throws `model_not_found`. */
  named(name: string): ModelId {
    if (name === '' || name === this.asked.model.id) return ownModel;
    throw new RealmError(
      'model_not_found',
      `The program asked for model ${name}; there is ${this.asked.model.id} alone`,
    );
  }

  /** The one that is asked for, or the caller's. Throws `adapter_not_found`. */
  adapterOf(asked: string | undefined): string | undefined {
    const { adapters, request } = this.asked;
    if (asked === undefined || adapters.has(asked)) return asked ?? request.adapter;
    throw new RealmError('adapter_not_found', `The program asked for adapter ${asked}, which its model does not have`);
  }

  /** What every call of the run says of whom it is for. */
  owned(): Pick<GenerateRequest, 'id' | 'tenant' | 'queueMs' | 'priority'> {
    const { id, tenant, queueMs, priority } = this.asked.request;
    return { id: `${id}.${this.#calls++}`, tenant, queueMs, priority };
  }

  count(usage: EngineUsage): void {
    this.usage = addUsage(this.usage, usage);
  }

  /** How the answer ends if this was its last call. */
  noteEnd({ reason }: Pick<TextEnd, 'reason'>): void {
    // Cancelled here means that the program has enough.
    this.reason = reason === 'cancelled' ? 'stop' : reason;
  }
}

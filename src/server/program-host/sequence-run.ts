import type { GenerateRequest } from '../../engine/request.ts';
import { ChargedTokens } from '../../llm/program/charged-tokens.ts';
import type { Emitted } from '../../llm/program/emitted.ts';
import type { ModelId } from '../../sandbox/model-id.ts';
import type { ChoiceContext } from './context.ts';
import type { RunModels } from './run-models.ts';
import type { Trace } from './trace.ts';

/** What the calls of one run of a program share. */
export interface SequenceRun {
  readonly context: ChoiceContext;
  /** The client's. */
  readonly request: GenerateRequest<string>;
  readonly trace: Trace;
  readonly models: RunModels;
  readonly charged: ChargedTokens;
  readonly emitted: Emitted;
  /** Of the run's next call to an engine. */
  nextId(): string;
  /** Some of what was generated went to the client. */
  streamed: boolean;
  /** Models whose prompts of the run have begun thoughts. */
  readonly inReasoning: Set<ModelId>;
}

export function newRun(
  parts: Pick<SequenceRun, 'context' | 'request' | 'trace' | 'models' | 'emitted' | 'nextId'>,
): SequenceRun {
  return { ...parts, charged: new ChargedTokens(), streamed: false, inReasoning: new Set() };
}

/** Where tokens are computed: what one model has is of no use to another, nor to the same with an adapter. */
export const placeOf = (modelId: ModelId, adapter: string | undefined): string => `${modelId} ${adapter ?? ''}`;

/** What every call of the run says of its tenant. */
export function ownedBy({ request }: SequenceRun): Pick<GenerateRequest, 'tenant' | 'queueMs' | 'share' | 'priority'> {
  const { tenant, queueMs, share, priority } = request;
  return { tenant, queueMs, share, priority };
}

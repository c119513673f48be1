import type { TraceSpan } from '../../telemetry/tracing.ts';
import type { Asking } from '../exchange.ts';
import type { HeldJob } from '../job.ts';
import type { PromptTokens } from '../prompt-tokens.ts';
import type { Services } from '../services.ts';

/** What the choices of a request share. */
export interface ChoiceContext {
  readonly services: Services;
  readonly job: HeldJob;
  readonly promptTokens: PromptTokens;
  readonly exchange: Asking;
  /** Of the program's run. */
  readonly span?: TraceSpan | undefined;
}

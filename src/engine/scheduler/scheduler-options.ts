import type { Model } from '../../model/types.ts';
import { defaults, type EngineOptions } from '../options.ts';
import type { StepCosts } from './step-costs.ts';
import type { StepLimits } from './step-room.ts';

export interface SchedulerOptions extends StepLimits {
  /** Sequences that run at once. */
  readonly maxRunning: number;
  /** A text is in one step or in none: the model is an encoder. */
  readonly wholeTexts?: boolean | undefined;
  /** Rows of logits that one step gives. */
  readonly maxOutputs: number;
  /** Requests of one tenant that may wait. */
  readonly maxWaiting: number;
  /** The same for single tenants. */
  readonly maxWaitingOf?: ReadonlyMap<string, number> | undefined;
  /** A tenant's weight in sharing the engine; 1 where absent. */
  readonly weights?: ReadonlyMap<string, number> | undefined;
}

/** What was asked for, as far as the model reaches. Prompts beside decoding are sized by what steps have cost. */
export function schedulerOptions(options: EngineOptions, model: Model, costs: StepCosts): SchedulerOptions {
  const { encoder = false, maxBatchTokens } = model;
  const most = encoder ? maxBatchTokens : (options.maxBatchedTokens ?? defaults.maxBatchedTokens);
  const maxBatchedTokens = Math.min(most, maxBatchTokens);
  const { prefillMs = defaults.prefillMs, firstPrefillMs = defaults.firstPrefillMs } = options;
  return {
    maxRunning: Math.min(
      options.maxRunning ?? defaults.maxRunning,
      model.maxOutputs,
      maxBatchedTokens - 1,
      // One that runs needs two slots where the model keeps states.
      model.slots > 0 ? Math.floor(model.slots / 2) : Number.POSITIVE_INFINITY,
    ),
    maxBatchedTokens,
    wholeTexts: encoder,
    prefillChunk: encoder ? maxBatchedTokens : (options.prefillChunk ?? defaults.prefillChunk),
    pieceTokens: (position, decoding, first) => {
      if (encoder) return maxBatchedTokens;
      return decoding > 0
        ? costs.promptTokens(position, decoding, first ? Math.max(prefillMs, firstPrefillMs) : prefillMs)
        : costs.tokensAsLong(position, maxBatchedTokens);
    },
    maxOutputs: model.maxOutputs,
    maxWaiting: options.maxWaiting ?? defaults.maxWaiting,
    maxWaitingOf: options.maxWaitingOf,
    weights: options.weights,
  };
}

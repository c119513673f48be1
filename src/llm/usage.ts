import type { EngineUsage } from '../engine/request.ts';

/** What calls to engines took, in tokens. */
export const noUsage: EngineUsage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };

export function addUsage(a: EngineUsage, b: EngineUsage): EngineUsage {
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    completionTokens: a.completionTokens + b.completionTokens,
  };
}

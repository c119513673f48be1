import type { Level } from './book.ts';

export type RateKind = 'requests' | 'tokens';

/** The headers that clients of OpenAI's API read. */
export function rateHeaders(kind: RateKind, limit: number, { remaining, resetMs }: Level): Record<string, string> {
  return {
    [`x-ratelimit-limit-${kind}`]: String(limit),
    [`x-ratelimit-remaining-${kind}`]: String(remaining),
    [`x-ratelimit-reset-${kind}`]: duration(resetMs),
  };
}

/** As OpenAI writes it: `20ms`, `1.5s`, `6m0s`. */
export function duration(ms: number): string {
  const rounded = Math.ceil(ms);
  if (rounded < 1000) return `${rounded}ms`;
  const minutes = Math.floor(rounded / 60_000);
  const seconds = (rounded - minutes * 60_000) / 1000;
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds}s`;
}

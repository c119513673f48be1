import type { RunLimits } from '../sandbox/types.ts';

/** Of tenants for which the operator says nothing else. */
export const defaultRunLimits: RunLimits = {
  fuel: 2e9,
  hostCalls: 100_000,
  outputBytes: 4 * 1024 * 1024,
  runs: 16,
  sequences: 64,
  forks: 256,
  tickets: 64,
  savedSequences: 64,
  savedBytes: 16 * 1024 * 1024,
};

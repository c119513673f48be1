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

/** What each may be: least and most. */
export const limitBounds = {
  fuel: [1, 1e15],
  hostCalls: [1, 1e9],
  outputBytes: [1, 1 << 30],
  runs: [1, 1000],
  sequences: [1, 10_000],
  forks: [0, 100_000],
  tickets: [1, 10_000],
  savedSequences: [0, 1_000_000],
  savedBytes: [0, 1 << 30],
  memoryMb: [1, 4096],
  deadlineMs: [1, 86_400_000],
} as const satisfies Record<keyof RunLimits | 'memoryMb' | 'deadlineMs', readonly [number, number]>;

import type { EngineUsage } from '../engine/request.ts';
import type { ErrorCode } from '../errors.ts';

/** One finished request, as counted. Times in milliseconds. */
export interface RequestSample extends EngineUsage {
  readonly route: string;
  readonly status: number;
  readonly tenant?: string | undefined;
  /** Of the error that it ended with. */
  readonly code?: ErrorCode | undefined;
  readonly model?: string | undefined;
  readonly durationMs: number;
  readonly firstTokenMs?: number | undefined;
}

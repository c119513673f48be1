import type { ErrorCode } from '../../errors.ts';
import type { TextSource } from '../../llm/model-text.ts';
import type { JobName } from './jobs.ts';

/** What the thread that serves tells the one for long texts. It works only when told to, one slice at a time. */
export type ToText =
  /** Begin this job and work on it for a slice. */
  | {
      readonly kind: 'start';
      readonly id: number;
      readonly name: JobName;
      readonly source: TextSource | undefined;
      readonly input: unknown;
    }
  /** Another slice for a job that was begun. */
  | { readonly kind: 'go'; readonly id: number }
  /** Nobody waits for that job any more. */
  | { readonly kind: 'drop'; readonly id: number }
  /** The model is served no longer, or its file may be another when it is again. */
  | { readonly kind: 'forget'; readonly source: TextSource };

/** How a slice ended. */
export interface FromText {
  readonly id: number;
  /** How long it took. */
  readonly ms: number;
  /** Absent: the job is not done. */
  readonly result?: { readonly value: unknown } | { readonly failure: Failure };
}

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly param: string | undefined;
  /** Of an unforeseen error, for the log. */
  readonly stack: string | undefined;
}

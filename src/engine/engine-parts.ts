import type { RealmError } from '../errors.ts';
import type { Model } from '../model/types.ts';
import type { ConstraintCompiler } from './constraint/compiler.ts';
import type { BrownOutLevel } from './types.ts';
import type { Heartbeat } from './worker/heartbeat.ts';

/** What an engine may have beside its model. */
export interface EngineParts {
  /** A smaller model of the same vocabulary on the same backend, with as many pages: it guesses. */
  readonly draft?: Model | undefined;
  /** Tells its weights from others': sessions are bound to it. */
  readonly fingerprint?: string | undefined;
  /** Without one, requests with constraints are refused. */
  readonly constraints?: ConstraintCompiler | undefined;
  /** Lets the event loop go round once between steps. */
  readonly turn?: () => Promise<void>;
  /** Takes what has arrived while a step runs: submissions and cancellations that are worth giving it up for. */
  readonly receive?: () => void;
  /** Waits for a moment for what arrives, without the event loop, and takes it: a program is likely to go on where it has just got an answer. */
  readonly attend?: (() => void) | undefined;
  /** Hears that steps begin and end. */
  readonly heartbeat?: Heartbeat | undefined;
  /** Hears that the model failed for good: it is of no use any more. */
  readonly onBroken?: (error: RealmError) => void;
  /** Hears how much is given up under pressure, when that changes. */
  readonly onBrownOut?: (level: BrownOutLevel) => void;
  /** Milliseconds, by which it is measured what drafts cost. */
  readonly clock?: () => number;
}

/** Time, as the ledger needs it: tests bring their own. */
export interface Clock {
  /** Milliseconds since 1970; may jump. */
  now(): number;
  /** Milliseconds since whenever; never jumps. */
  steady(): number;
  /** Calls once, later; the result calls it off. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: Date.now,
  steady: () => performance.now(),
  after(ms, run) {
    if (ms === 0) {
      const soon = setImmediate(run);
      return () => clearImmediate(soon);
    }
    const timer = setTimeout(run, ms);
    // Calls that wait for their commit keep the process; what comes every second does not.
    if (ms >= 1_000) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** How long things may take, in milliseconds. */
export interface Timings {
  /** How long calls that end are gathered for one commit, where many do. */
  readonly groupMs: number;
  /** The same for calls whose record nobody waits for. */
  readonly unwantedMs: number;
  /** How often the others hear that this replica lives, and the store of the calls that run. */
  readonly beatMs: number;
  /** How long the end of an answer waits to be put on record. */
  readonly recordMs: number;
  /** How long calls are granted without the store. Shorter than `deadMs`: whoever is held for dead grants nothing. */
  readonly aloneMs: number;
  /** After so long without a sign a replica is dead, and what it held is given back. */
  readonly deadMs: number;
}

export const defaultTimings: Timings = {
  groupMs: 4,
  unwantedMs: 100,
  beatMs: 1_000,
  recordMs: 10_000,
  aloneMs: 20_000,
  deadMs: 60_000,
};

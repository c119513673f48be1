import { constraintCalls } from './constraint-calls.ts';
import type { SequenceGuest } from './guest.ts';
import { modelCalls } from './model-calls.ts';
import { parserCalls } from './parser-calls.ts';
import { runCalls } from './run-calls.ts';
import { sequenceCalls } from './sequence-calls.ts';
import { ticketCalls } from './ticket-calls.ts';

/** A host function: its result, or it throws a Refusal. A promise suspends the program. */
type Call = (guest: SequenceGuest, ...args: number[]) => number | Promise<number>;

// Validation has seen to it that a module passes as many arguments as each takes.
const calls = {
  ...sequenceCalls,
  ...constraintCalls,
  ...ticketCalls,
  ...modelCalls,
  ...parserCalls,
  ...runCalls,
} as unknown as Record<string, Call>;

const { Suspending } = WebAssembly as unknown as {
  Suspending: new (js: (...args: number[]) => number | Promise<number>) => WebAssembly.ImportValue;
};

/** The functions of module `realm2` for one run. */
export function boundCalls(guest: SequenceGuest): Record<string, (...args: number[]) => number | Promise<number>> {
  return Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, bound(guest, call)]));
}

/** Module `realm2` as one run sees it. */
export function sequenceImports(guest: SequenceGuest): Record<string, WebAssembly.ImportValue> {
  const bodies = Object.entries(boundCalls(guest));
  return Object.fromEntries(bodies.map(([name, body]) => [name, mayWait(calls[name]!) ? new Suspending(body) : body]));
}

const AsyncFunction = (async () => {}).constructor;
const mayWait = (call: Call): boolean => call instanceof AsyncFunction;

function bound(guest: SequenceGuest, call: Call) {
  return (...args: number[]): number | Promise<number> => {
    try {
      guest.enter();
      const result = call(guest, ...args);
      return typeof result === 'number' ? result : settled(guest, result);
    } catch (error) {
      return guest.refused(error);
    }
  };
}

async function settled(guest: SequenceGuest, result: Promise<number>): Promise<number> {
  try {
    return await result;
  } catch (error) {
    return guest.refused(error);
  } finally {
    await guest.place.myTurn();
    guest.place.checkAlive();
  }
}

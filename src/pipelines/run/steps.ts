import type { PlannedStep } from '../plan/planned.ts';

/**
 * Runs each step once those that it waits for are done. The first failure ends all others: they get its signal, and are
 * waited for. Throws that failure.
 */
export async function runSteps(
  steps: readonly PlannedStep[],
  outer: AbortSignal,
  run: (step: PlannedStep, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([outer, failed.signal]);
  const done = new Map<string, Promise<void>>();
  const start = async (step: PlannedStep): Promise<void> => {
    await Promise.all(step.after.map(id => done.get(id)));
    if (signal.aborted) return;
    try {
      await run(step, signal);
    } catch (error) {
      failed.abort(error);
    }
  };
  for (const step of steps) done.set(step.id, start(step));
  await Promise.all(done.values());
  signal.throwIfAborted();
}

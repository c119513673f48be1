import { savedLimits } from './saved-run.ts';
import type { SequenceRun } from './sequence-run.ts';

/** What is left to the tenant: JSON for a program that wants to spend it well. */
export async function budget({ context }: SequenceRun): Promise<string> {
  const { services, job } = context;
  const { tenant } = job;
  const [budgets = [], saved] = await Promise.all([
    services.meter.budgetsOf?.(tenant.id),
    services.savedSequences.state(tenant.id),
  ]);
  const limits = savedLimits(tenant);
  return JSON.stringify({
    budgets: budgets.map(({ unit, period, model, limit, spent }) => {
      return { unit, period, model, limit, left: Math.max(0, limit - spent) };
    }),
    saved: {
      sequences: Math.max(0, limits.sequences - saved.sequences),
      bytes: Math.max(0, limits.bytes - saved.bytes),
    },
    tools: services.tools.of(tenant).map(({ name, description }) => ({ name, description })),
  });
}

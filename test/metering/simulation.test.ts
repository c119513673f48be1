import { test } from 'node:test';
import { simulate } from './simulation.ts';

const seeds = Number(process.env.REALM_SEEDS ?? 300);

test(`${seeds} simulated clusters overspend nothing, and nothing of a budget is lost`, async () => {
  for (let seed = 1; seed <= seeds; seed++) await simulate(seed).catch(error => failed(seed, error));
});

function failed(seed: number, error: unknown): never {
  throw new Error(`seed ${seed}`, { cause: error });
}

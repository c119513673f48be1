import { setTimeout as sleep } from 'node:timers/promises';
import { RealmError } from '../errors.ts';
import type { Listener } from './node.ts';
import type { ServerState } from './services.ts';

/** Time that cancelled requests get to tell their clients. */
const goodbyeMs = 1_000;

/** How a server takes its leave. */
export interface DrainLimits {
  /** How long it goes on as before while `/ready` says that it leaves: balancers and proxies need time to hear of it. */
  readonly lameDuckMs: number;
  /** How long what is being answered then may take. */
  readonly drainMs: number;
}

/**
 * Stops a server: first only `/ready` says so; then nothing new is taken, what is being answered may finish, the rest is cancelled with
 * `shutting_down` and told so.
 */
export async function drain(state: ServerState, listener: Listener, limits: DrainLimits): Promise<void> {
  if (limits.lameDuckMs > 0 && state.phase === 'ready') {
    state.phase = 'leaving';
    await sleep(limits.lameDuckMs);
  }
  state.phase = 'draining';
  listener.stop();
  const stopping = new RealmError('shutting_down', 'The server is stopping');
  for (const exchange of state.open) if (exchange.endless) exchange.cancel(stopping);
  await emptied(state, limits.drainMs);
  for (const exchange of state.open) exchange.cancel(stopping);
  await emptied(state, goodbyeMs);
  listener.destroy();
}

async function emptied({ open }: ServerState, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs;
  while (open.size > 0 && performance.now() < end) await sleep(20);
  // The last bytes are handed to the sockets in this turn.
  await sleep(0);
}

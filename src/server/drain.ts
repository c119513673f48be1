import { setTimeout as sleep } from 'node:timers/promises';
import { RealmError } from '../errors.ts';
import type { Listener } from './node.ts';
import type { ServerState } from './services.ts';

/** Time that cancelled requests get to tell their clients. */
const goodbyeMs = 1_000;

/**
 * Stops a server: nothing new is taken, what is being answered may finish within `limitMs`, the rest is cancelled with
 * `shutting_down` and told so.
 */
export async function drain(state: ServerState, listener: Listener, limitMs: number): Promise<void> {
  state.phase = 'draining';
  listener.stop();
  const stopping = new RealmError('shutting_down', 'The server is stopping');
  for (const exchange of state.open) if (exchange.endless) exchange.cancel(stopping);
  await emptied(state, limitMs);
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

import { platform } from '#platform';

/** So long may chains of promises keep an event loop from its timers and sockets, ms. */
const TURN_MS = 5;

let turnEnds: number | undefined;

/**
 * To be awaited in a loop whose promises may all be settled already: such a loop never lets the event loop turn.
 * Resolves at once while this turn of it is young, and in the next turn afterwards.
 */
export async function breathe(): Promise<void> {
  const now = performance.now();
  if (turnEnds === undefined) {
    turnEnds = now + TURN_MS;
    platform.later(() => {
      turnEnds = undefined;
    });
  }
  if (now > turnEnds) await platform.nextTurn();
}

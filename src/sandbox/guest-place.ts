import type { GuestTurns } from './guest-turns.ts';
import type { FromGuest } from './messages.ts';
import type { PlaceMemory } from './place-memory.ts';

/** What a run finds where it runs. */
export interface GuestPlace {
  /** Of guests that share the place with others'; undefined: whoever can go on does. */
  readonly turns: GuestTurns | undefined;
  readonly memory: PlaceMemory;
  post(message: FromGuest): void;
}

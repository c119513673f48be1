import { GuestFuel } from './guest-fuel.ts';
import type { GuestTurns, TurnWaiter } from './guest-turns.ts';
import { Fault } from './outcome.ts';

/** Whose run it is, and what its turns count. */
interface Tenant {
  readonly tenant: string;
  readonly weight?: number | undefined;
}

/** The computing of one run: its fuel, and its turns among those that share its place. */
export class GuestTime {
  readonly fuel: GuestFuel;
  readonly #tenant: string;
  readonly #weight: number;
  readonly #limit: number;
  readonly #turns: GuestTurns | undefined;
  /** Its turn, while it waits for that. */
  #turn: TurnWaiter | undefined;
  /** Fuel that its tenant has been charged. */
  #charged = 0;

  /** `limit`: fuel of the run. `turns` undefined: whoever can go on does. */
  constructor({ tenant, weight = 1 }: Tenant, limit: number, turns: GuestTurns | undefined) {
    this.fuel = new GuestFuel(limit);
    this.#tenant = tenant;
    this.#weight = weight;
    this.#limit = limit;
    this.#turns = turns;
  }

  /** It has used up its slice: others have their turn first. Throws the Fault of one that has used all, and what `checkAlive` throws. */
  async refuel(checkAlive: () => void): Promise<void> {
    checkAlive();
    do {
      if (this.fuel.isSpent) throw new Fault('out_of_fuel', `used more than ${this.#limit} of fuel`);
      await this.#wait({ spent: true });
      checkAlive();
    } while (!this.fuel.refill());
  }

  /** A guest that has got an answer goes on at once where no other waits. */
  next(): Promise<void> | undefined {
    return this.#turns === undefined || this.#turns.free ? undefined : this.#wait({ spent: false });
  }

  /** Its tenant has used what it has used since. */
  charge(): void {
    const { used } = this.fuel;
    this.#turns?.charge(this.#tenant, used - this.#charged, this.#weight);
    this.#charged = used;
  }

  /** It waits no longer. */
  end(): void {
    if (!this.#turn) return;
    this.#turns?.remove(this.#turn);
    this.#turn.go();
  }

  async #wait({ spent }: { spent: boolean }): Promise<void> {
    this.charge();
    await new Promise<void>(go => {
      this.#turn = { tenant: this.#tenant, spent, go };
      this.#turns?.add(this.#turn);
    });
    this.#turn = undefined;
  }
}

import { RealmError } from '../errors.ts';
import { amountOf } from './budgets.ts';
import type { Clock, Timings } from './clock.ts';
import type { Lease } from './lease.ts';
import { type Batch, type Drawn, type EndedCall, type LeaseWrite, type Ledger, ReplicaLost } from './ledger.ts';
import type { CallStatus } from './meter.ts';
import type { Part, Running } from './running.ts';

export interface CommitterOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly timings: Timings;
  /** Nobody else uses the store, so nobody takes back what this one holds. */
  readonly exclusive: boolean;
  newReplicaId(): string;
  leases(): Iterable<Lease>;
}

/** Calls that are put on record together. */
interface Group {
  readonly done: PromiseWithResolvers<void>;
  readonly callOff: () => void;
}

/** What calls want of a budget that has no room for them here. */
interface Draw {
  wanted: number;
  /** What the store is asked for. */
  need: number;
  readonly done: PromiseWithResolvers<boolean>;
}

/** What the store is told next. */
interface Work {
  readonly batch: Batch;
  readonly draws: ReadonlyMap<Lease, Draw>;
  readonly dirty: ReadonlySet<Lease>;
}

/** Calls without a place in the store that may wait for it. */
const mostWaiting = 10_000;
/** For so long a call waits for a store that does not answer, before it is refused. */
const patienceMs = 1_000;
/** Times between tries to reach a store that is gone: doubled up to the last. */
const retryMs = { first: 100, last: 2_000 };

/**
 * The one line to the store: calls that end, leases and signs of life go together in one transaction at a time, which is tried again until it
 * succeeds. What was not acknowledged may have been done; doing it again changes nothing.
 */
export class Committer {
  /** Granted and not ended. */
  readonly running = new Set<Running>();
  readonly #options: CommitterOptions;
  #replica: string;
  #joined = false;
  /** Ended since the last batch was made; and of the last batch, until it succeeds. */
  #ended: { readonly row: EndedCall; readonly parts: readonly Part[] }[] = [];
  #told: readonly EndedCall[] = [];
  #group: Group | undefined;
  #toldGroups: readonly Group[] = [];
  /** Leases that the store must hear of. */
  #dirty = new Set<Lease>();
  #draws = new Map<Lease, Draw>();
  #inFlight: ReadonlySet<Lease> = new Set();
  #beatDue = false;
  #busy: Promise<void> | undefined;
  #callOff: (() => void) | undefined;
  /** The next batch has been put off until somebody waits for it. */
  #putOff = false;
  /** Of those that ended, how many somebody waits for. */
  #wanted = 0;
  readonly #heard = new WeakSet<Promise<void>>();
  /** The last batch had several of these: more are likely to come. */
  #crowded = false;
  /** 0: the last batch succeeded. */
  #retryIn = 0;
  /** When the last batch that succeeded was begun, and the first after it. */
  #lastSeen: number;
  #triedSince: number | undefined;
  #closed = false;

  constructor(options: CommitterOptions) {
    this.#options = options;
    this.#replica = options.newReplicaId();
    this.#lastSeen = options.clock.steady();
  }

  get replica(): string {
    return this.#replica;
  }

  /** Throws `store_unavailable` where the store has been gone for too long to grant anything. */
  refuseAlone(): void {
    const { clock, timings, exclusive } = this.#options;
    const now = clock.steady();
    const since = exclusive ? (this.#triedSince ?? now) : this.#lastSeen;
    if (now - since <= timings.aloneMs && this.#ended.length + this.#told.length < mostWaiting) return;
    throw unavailable('and what calls use cannot be put on record');
  }

  /**
   * Resolves when the call is on record; nobody waits for that before `wanted`. Throws `store_unavailable` where it takes
   * too long; it is tried all the same.
   */
  record(call: Running, status: CallStatus, wanted?: Promise<void>): Promise<void> {
    this.running.delete(call);
    const { parts } = call;
    this.#ended.push({ row: call.end(status), parts });
    for (const { lease } of parts) this.#dirty.add(lease);
    this.#group ??= this.#newGroup();
    if (wanted) this.#hear(wanted);
    else this.#wanted++;
    this.#soon();
    return this.#group.done.promise;
  }

  /** Asks the store for more of a budget, together with whoever else does. Resolves to whether it gave all. Throws `store_unavailable`. */
  draw(lease: Lease, wanted: number): Promise<boolean> {
    if (this.#isGone) return Promise.reject(nothingLeft());
    let draw = this.#draws.get(lease);
    if (draw === undefined) {
      draw = { wanted: 0, need: 0, done: Promise.withResolvers() };
      this.#draws.set(lease, draw);
    }
    draw.wanted += wanted;
    this.#dirty.add(lease);
    this.#soon();
    return draw.done.promise;
  }

  /** Tells the store that this replica lives, of the calls that run, and of leases that nobody needs. */
  beat(): void {
    for (const lease of this.#options.leases())
      if (lease.room < 0 || lease.room > lease.comfort) this.#dirty.add(lease);
    const idle = this.running.size === 0 && this.#dirty.size === 0;
    this.#beatDue = !(idle && this.#options.exclusive);
    this.#soon();
  }

  /** The store has heard all that there is to tell of it. */
  isTold(lease: Lease): boolean {
    return !this.#dirty.has(lease) && !this.#inFlight.has(lease);
  }

  /** Resolves when all is told, or cannot be. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#callOff?.();
    await this.#busy;
    await this.#commit();
  }

  get #hasWork(): boolean {
    return this.#beatDue || this.#ended.length + this.#told.length > 0 || this.#draws.size > 0;
  }

  /** The store has not answered for a while. */
  get #isGone(): boolean {
    return this.#retryIn > 0 && this.#options.clock.steady() - this.#triedSince! > patienceMs;
  }

  /** Nothing in the next batch is waited for. */
  get #isUnwanted(): boolean {
    return this.#wanted === 0 && this.#draws.size === 0 && !this.#beatDue && this.#retryIn === 0;
  }

  /** The same promise may come with many calls. */
  #hear(wanted: Promise<void>): void {
    if (this.#heard.has(wanted)) return;
    this.#heard.add(wanted);
    void wanted.then(() => {
      if (this.#ended.length > 0) this.#wanted++;
      this.#soon();
    });
  }

  #newGroup(): Group {
    const done = Promise.withResolvers<void>();
    // Whoever waits hears of it.
    done.promise.catch(() => {});
    const { clock, timings } = this.#options;
    const late = () => done.reject(unavailable('and what this answer used is not on record yet'));
    return { done, callOff: clock.after(timings.recordMs, late) };
  }

  #soon(): void {
    if (this.#busy || this.#closed || !this.#hasWork) return;
    const putOff = this.#isUnwanted;
    if (this.#callOff && (putOff || !this.#putOff)) return;
    this.#callOff?.();
    this.#putOff = putOff;
    const { clock, timings } = this.#options;
    const gather = this.#crowded && this.#draws.size === 0 ? timings.groupMs : 0;
    this.#callOff = clock.after(this.#retryIn || (putOff ? timings.unwantedMs : gather), () => {
      this.#callOff = undefined;
      this.#busy = this.#commit().finally(() => {
        this.#busy = undefined;
        this.#soon();
      });
    });
  }

  async #commit(): Promise<void> {
    const { ledger, clock } = this.#options;
    const begun = clock.steady();
    this.#triedSince ??= begun;
    const work = this.#take();
    try {
      if (!this.#joined) await ledger.join(this.#replica, clock.now());
      this.#joined = true;
      this.#succeed(work, await ledger.commit(work.batch), begun);
    } catch (error) {
      this.#fail(work, error);
    }
  }

  /** What there is to tell, and the leases as they are from now on. */
  #take(): Work {
    const [ended, draws, dirty, beat] = [this.#ended, this.#draws, this.#dirty, this.#beatDue];
    this.#crowded = this.#wanted > 1;
    this.#wanted = 0;
    for (const { row, parts } of ended) spend(row, parts);
    const running = beat ? [...this.running] : [];
    for (const call of running) call.known = true;
    const leases = [...dirty].map(lease => toWrite(lease, draws.get(lease)));
    if (beat) for (const lease of this.#options.leases()) lease.busy = false;
    this.#told = [...this.#told, ...ended.map(({ row }) => row)];
    this.#toldGroups = this.#group ? [...this.#toldGroups, this.#group] : this.#toldGroups;
    this.#ended = [];
    this.#group = undefined;
    this.#draws = new Map();
    this.#inFlight = dirty;
    this.#dirty = new Set();
    this.#beatDue = false;
    const rows = running.map(call => call.row());
    const now = this.#options.clock.now();
    return { batch: { replica: this.#replica, now, ended: this.#told, running: rows, leases }, draws, dirty };
  }

  #succeed({ draws, dirty }: Work, drawn: readonly Drawn[], begun: number): void {
    this.#lastSeen = begun;
    this.#triedSince = undefined;
    this.#retryIn = 0;
    this.#inFlight = new Set();
    const leases = new Map([...dirty].map(lease => [lease.id, lease]));
    for (const { id, granted, left, spent } of drawn) {
      const lease = leases.get(id)!;
      lease.opened = true;
      lease.held += granted;
      lease.left = left;
      lease.spent = spent;
      const draw = draws.get(lease);
      draw?.done.resolve(granted >= draw.need);
    }
    for (const { done, callOff } of this.#toldGroups) {
      callOff();
      done.resolve();
    }
    this.#told = [];
    this.#toldGroups = [];
  }

  #fail({ draws, dirty }: Work, error: unknown): void {
    for (const lease of dirty) this.#dirty.add(lease);
    this.#inFlight = new Set();
    for (const [lease, draw] of draws) this.#drawAgain(lease, draw);
    if (error instanceof ReplicaLost) this.#rejoin();
    else this.#retryIn = this.#retryIn === 0 ? retryMs.first : Math.min(2 * this.#retryIn, retryMs.last);
  }

  /** With those who came meanwhile; not for long. */
  #drawAgain(lease: Lease, { wanted, done }: Draw): void {
    if (this.#isGone || this.#closed) return done.reject(nothingLeft());
    const later = this.#draws.get(lease);
    if (later) later.done.promise.then(done.resolve, done.reject);
    else this.#draws.set(lease, { wanted: 0, need: 0, done });
    this.#draws.get(lease)!.wanted += wanted;
  }

  /** The others gave back what this one held: it goes on under another name, and draws anew for what runs. */
  #rejoin(): void {
    this.#replica = this.#options.newReplicaId();
    this.#joined = false;
    for (const lease of this.#options.leases()) {
      lease.held = 0;
      if (lease.used > 0) this.#dirty.add(lease);
    }
  }
}

/** What is put on record is no longer held. */
function spend(row: EndedCall, parts: readonly Part[]): void {
  for (const { lease } of parts) {
    const amount = amountOf(lease.id, row);
    lease.held -= amount;
    lease.used -= amount;
  }
}

/** Where nothing is needed, what is too much goes back. */
function toWrite(lease: Lease, draw: Draw | undefined): LeaseWrite {
  const need = Math.max(0, (draw?.wanted ?? 0) - lease.room);
  if (draw) draw.need = need;
  if (need === 0 && draw === undefined) lease.held = lease.used + lease.comfort;
  const { id, tenant, budget, period, limit, spent, opened } = lease;
  const chunk = (needed: number, left: number) => lease.chunk(needed, left);
  return { id, limit, keep: Math.max(0, lease.held), need, chunk, tenant, budget, period, isNew: !opened, spent };
}

const nothingLeft = () => unavailable('and what this server had of the budget is used up');

function unavailable(why: string): RealmError {
  const message = `The server's store does not answer, ${why}; try again in a few seconds`;
  return new RealmError('store_unavailable', message, { retryAfter: 5 });
}

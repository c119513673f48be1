import type { Constraint } from '../../constrain/constraint.ts';
import { asRealmError, type RealmError } from '../../errors.ts';
import type { GenerateRequest, SequenceId } from '../request.ts';

/** Hears what became of a request's constraint. */
interface Outcome {
  compiled(id: SequenceId, request: GenerateRequest, constraint: Constraint): void;
  failed(id: SequenceId, error: RealmError): void;
}

/** Requests whose constraints are being compiled: they have not come to the queue yet. */
export class Compiling {
  readonly #outcome: Outcome;
  readonly #requests = new Map<SequenceId, GenerateRequest>();

  constructor(outcome: Outcome) {
    this.#outcome = outcome;
  }

  ids(): SequenceId[] {
    return [...this.#requests.keys()];
  }

  /** How many are a tenant's. */
  of(tenant: string): number {
    let count = 0;
    for (const request of this.#requests.values()) if (request.tenant === tenant) count++;
    return count;
  }

  add(id: SequenceId, request: GenerateRequest, constraint: Promise<Constraint>): void {
    this.#requests.set(id, request);
    constraint.then(
      compiled => this.take(id) && this.#outcome.compiled(id, request, compiled),
      error => this.take(id) && this.#outcome.failed(id, asRealmError(error)),
    );
  }

  /** It waits no more; nothing where it did not. */
  take(id: SequenceId): GenerateRequest | undefined {
    const request = this.#requests.get(id);
    this.#requests.delete(id);
    return request;
  }
}

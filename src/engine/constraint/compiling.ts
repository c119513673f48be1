import { asRealmError, type RealmError } from '../../errors.ts';
import type { AdapterInUse } from '../adapters.ts';
import type { GenerateRequest, SequenceId } from '../request.ts';
import type { ConstrainedAnswer } from './constrained-answer.ts';

/** A request, and the adapter that it found when it came: another may have its name by the time that it begins. */
export interface Submission {
  readonly request: GenerateRequest;
  readonly adapter: AdapterInUse | undefined;
}

/** Hears what became of a request's constraint. */
interface Outcome {
  compiled(id: SequenceId, submission: Submission, constraint: ConstrainedAnswer): void;
  failed(id: SequenceId, submission: Submission, error: RealmError): void;
}

/** Requests whose constraints are being compiled: they have not come to the queue yet. */
export class Compiling {
  readonly #outcome: Outcome;
  readonly #requests = new Map<SequenceId, Submission>();

  constructor(outcome: Outcome) {
    this.#outcome = outcome;
  }

  ids(): SequenceId[] {
    return [...this.#requests.keys()];
  }

  /** How many are a tenant's. */
  of(tenant: string): number {
    let count = 0;
    for (const { request } of this.#requests.values()) if (request.tenant === tenant) count++;
    return count;
  }

  add(id: SequenceId, submission: Submission, constraint: Promise<ConstrainedAnswer>): void {
    this.#requests.set(id, submission);
    constraint.then(
      compiled => this.take(id) && this.#outcome.compiled(id, submission, compiled),
      error => this.take(id) && this.#outcome.failed(id, submission, asRealmError(error)),
    );
  }

  /** It waits no more; nothing where it did not. */
  take(id: SequenceId): Submission | undefined {
    const submission = this.#requests.get(id);
    this.#requests.delete(id);
    return submission;
  }
}

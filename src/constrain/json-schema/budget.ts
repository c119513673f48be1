import { RealmError } from '../../errors.ts';

/** Steps of reading a schema: merging and negating can take exponentially many. */
const maxSteps = 40_000;

/** Counts what reading a schema costs, the same on every machine. */
export class Budget {
  #steps = 0;

  spend(steps: number): void {
    this.#steps += steps;
    this.need(0);
  }

  /** Refuses at once what is sure to take more steps than are left. */
  need(steps: number): void {
    if (this.#steps + steps > maxSteps)
      throw new RealmError('grammar_limit', 'the schema takes too many steps to turn into a grammar; simplify it');
  }
}

/** A refusal that names the keyword and where it stands. */
export function unsupported(keyword: string, path: string, reason: string): RealmError {
  return new RealmError(
    'schema_unsupported',
    `the schema's ${keyword} at ${path || '/'} cannot be enforced: ${reason}`,
    {
      param: `${path}/${escapePointer(keyword)}`,
    },
  );
}

export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

import { Expression, type Names } from '../cel/expression.ts';
import type { CelTypes } from '../cel/types.ts';
import type { Fields } from '../document/fields.ts';
import type { Mistakes } from '../document/mistakes.ts';
import type { Text } from '../document/text.ts';
import { readSchema } from '../schema/read.ts';
import type { Validator } from '../schema/validator.ts';
import { Template } from '../template/template.ts';
import type { PlannedStep } from './planned.ts';

/** What all steps of a document share while they are read. */
export interface Shared {
  readonly source: string;
  readonly mistakes: Mistakes;
  readonly types: CelTypes;
  readonly uses: { readonly models: Set<string>; readonly programs: Set<string>; readonly tools: Set<string> };
  /** All steps by their ids, with the ids of the maps that they stand in. */
  readonly places: Map<string, readonly string[]>;
  steps: number;
}

/** The steps of a map. */
export interface InnerSteps {
  /** The names of the steps, and what their outputs are, beside the names given. */
  check(names: Names): Names;
  /** Once they are checked. */
  readonly planned: readonly PlannedStep[];
  /** The one that stands last in the document. */
  readonly last: string | undefined;
  /** Reads what stands behind the steps and can use them all. */
  readonly behind: StepReader;
}

/** Reads what stands in a step, and writes down which names it uses. */
export class StepReader {
  readonly shared: Shared;
  /** With the places where they first stand. */
  readonly references = new Map<string, number>();
  /** The steps of the list under a key; `own`: names that have values in them. */
  readonly innerSteps: (fields: Fields, key: string, own: readonly string[]) => InnerSteps;

  constructor(shared: Shared, innerSteps: StepReader['innerSteps']) {
    this.shared = shared;
    this.innerSteps = innerSteps;
  }

  /** `own`: names that have values in this expression alone. */
  expression(text: Text, own: readonly string[] = []): Expression {
    const made = new Expression(text, this.shared.mistakes);
    this.#refer(made.references, own);
    return made;
  }

  template(text: Text): Template {
    const made = new Template(text, this.shared.mistakes);
    this.#refer(made.references, []);
    return made;
  }

  schema(fields: Fields, key: string): Validator | undefined {
    const node = fields.get(key);
    return node && readSchema(node, this.shared.mistakes);
  }

  #refer(references: ReadonlyMap<string, number>, own: readonly string[]): void {
    for (const [name, at] of references) {
      if (!own.includes(name) && !this.references.has(name)) this.references.set(name, at);
    }
  }
}

import type { Names } from '../cel/expression.ts';
import type { Fields } from '../document/fields.ts';
import type { JsonSchema } from '../schema/types.ts';
import type { Step } from '../step.ts';
import type { PlannedStep, StepContext } from './planned.ts';
import type { StepReader } from './reader.ts';

/** A kind of step: how it is written, and what it does. */
export interface StepKind {
  /** Also the field that says that a step is of this kind. */
  readonly kind: Step['kind'];
  /** The other fields that it has beside those of every step. */
  readonly fields: readonly string[];
  /** Undefined where what is written cannot be read; that has been said. */
  read(fields: Fields, reader: StepReader): StepReading | undefined;
}

/** A step of a kind, as its document says it. */
export interface StepReading {
  readonly target?: string | undefined;
  /** Checks its expressions and templates. Gives what its output is, as far as that is known without the document saying it. */
  check(names: Names): JsonSchema;
  run(context: StepContext): Promise<unknown>;
  /** Of a map, once it is checked. */
  readonly steps?: readonly PlannedStep[] | undefined;
}

import { RealmError } from '../../errors.ts';
import type { PlannedStep } from '../plan/planned.ts';

/** The output as its schema has it. Throws `output_invalid`. */
export function checkOutput({ validator, kind, target }: PlannedStep, output: unknown): unknown {
  if (!validator) return output;
  const found = validator.check(output);
  if ('value' in found) return found.value;
  const where = found.path === '' ? '' : `${found.path}: `;
  const of = target === undefined ? '' : ` of the ${kind} '${target}'`;
  throw new RealmError('output_invalid', `the output${of} is not what it must be: ${where}${found.problem}`);
}

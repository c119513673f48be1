import { RealmError } from '../../errors.ts';
import type { PlannedStep } from '../plan/planned.ts';
import { anything } from '../schema/validator.ts';

/** The output as its schema has it. Throws `output_invalid`. */
export function checkOutput({ validator = anything, kind, target }: PlannedStep, output: unknown): unknown {
  const found = validator.check(output);
  if ('value' in found) return found.value;
  const where = found.path === '' ? '' : `${found.path}: `;
  const of = target === undefined ? '' : ` of the ${kind} '${target}'`;
  throw new RealmError('output_invalid', `the output${of} is not what it must be: ${where}${found.problem}`);
}

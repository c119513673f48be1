import type { ValidateFunction } from 'ajv/dist/2020.js';

/** What a tool is given, held to its JSON Schema. Loaded only where there are tools. */

const compiled = new WeakMap<object, ValidateFunction>();

/** Throws what is wrong with the schema. */
export async function compileInput(schema: object): Promise<ValidateFunction> {
  const known = compiled.get(schema);
  if (known) return known;
  const { Ajv2020 } = await import('ajv/dist/2020.js');
  // Whatever draft it names, it is read as the latest; what is unknown there says nothing.
  const { $schema: _, ...rest } = schema as { $schema?: unknown };
  const validate = new Ajv2020({ strict: false, logger: false, validateFormats: false }).compile(rest);
  compiled.set(schema, validate);
  return validate;
}

/** What is wrong with an input; undefined: nothing. */
export async function inputProblem(schema: object, input: unknown): Promise<string | undefined> {
  const validate = await compileInput(schema);
  if (validate(input)) return undefined;
  const texts = validate.errors?.slice(0, 3).map(({ instancePath, message }) => `input${instancePath} ${message}`);
  return texts?.join('; ') ?? 'is not what the schema says';
}

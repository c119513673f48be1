import { typeOf } from './values.ts';

type Schema = Readonly<Record<string, unknown>>;

/** References and choices in one schema that are followed. */
const most = 256;

/** What a value of the schema may be: the schema itself, or what its references and choices (`anyOf`, `oneOf`) lead to. */
export function optionsOf(schema: unknown, root: unknown): Schema[] {
  const options: Schema[] = [];
  const waiting: unknown[] = [schema];
  for (let count = 0; waiting.length > 0 && count < most; count++) {
    const next = waiting.shift();
    if (!isSchema(next)) continue;
    const { anyOf, oneOf, $ref } = next;
    const choices = Array.isArray(anyOf) ? anyOf : oneOf;
    if (typeof $ref === 'string') waiting.push(referred($ref, root));
    else if (Array.isArray(choices)) waiting.push(...choices);
    else options.push(next);
  }
  return options;
}

const annotations = new Set(['$schema', '$id', '$comment', 'title', 'description', 'default', 'examples']);

/** Every value fits. */
export const isAnything = (schema: unknown): boolean =>
  schema === true || (isSchema(schema) && Object.keys(schema).every(keyword => annotations.has(keyword)));

/** The types that a schema names, or that its values have; undefined where it says nothing of them. */
export function typesOf({
  type,
  enum: values,
  const: value,
  properties,
  items,
}: Schema): readonly string[] | undefined {
  if (Array.isArray(type)) return type as string[];
  if (typeof type === 'string') return [type];
  if (Array.isArray(values)) return [...new Set(values.map(typeOf))];
  if (value !== undefined) return [typeOf(value)];
  if (properties !== undefined) return ['object'];
  return items === undefined ? undefined : ['array'];
}

/** Types in which the value is written: nothing is left out where a text may be. None: any. */
export function writtenTypes(options: readonly Schema[]): ReadonlySet<string> {
  const all = options.map(typesOf);
  if (all.includes(undefined)) return new Set();
  const types = new Set(all.flatMap(each => each ?? []));
  if (types.has('string')) types.delete('null');
  return types;
}

function referred(reference: string, root: unknown): unknown {
  if (!reference.startsWith('#')) return undefined;
  let found = root;
  for (const step of reference.slice(1).split('/').slice(1)) {
    if (typeof found !== 'object' || found === null) return undefined;
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    found = Object.hasOwn(found, key) ? (found as Schema)[key] : undefined;
  }
  return found;
}

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The words of JSON Schema, all drafts. Any other word is an annotation: the specification says that it has no effect. */

/** Say nothing of what is valid, or are read where another keyword is. */
const withoutEffect = [
  '$anchor',
  '$comment',
  '$defs',
  '$dynamicAnchor',
  '$id',
  '$schema',
  '$vocabulary',
  'contentEncoding',
  'contentMediaType',
  'contentSchema',
  'default',
  'definitions',
  'deprecated',
  'description',
  'else',
  'examples',
  'id',
  'readOnly',
  'then',
  'title',
  'writeOnly',
];

/** Turned into a grammar. */
export const enforced = [
  '$ref',
  'additionalItems',
  'additionalProperties',
  'allOf',
  'anyOf',
  'const',
  'contains',
  'dependencies',
  'dependentRequired',
  'dependentSchemas',
  'enum',
  'exclusiveMaximum',
  'exclusiveMinimum',
  'format',
  'if',
  'items',
  'maxItems',
  'maxLength',
  'maxProperties',
  'maximum',
  'minItems',
  'minLength',
  'minProperties',
  'minimum',
  'multipleOf',
  'not',
  'oneOf',
  'pattern',
  'patternProperties',
  'prefixItems',
  'properties',
  'propertyNames',
  'required',
  'type',
] as const;

/** No grammar expresses them, but where they say nothing. */
export const inexpressible: Readonly<
  Record<
    string,
    { readonly reason: string; readonly idle: (value: unknown, schema: Record<string, unknown>) => boolean }
  >
> = {
  uniqueItems: {
    reason: 'a grammar cannot compare items',
    idle: (value, schema) => value === false || (typeof schema.maxItems === 'number' && schema.maxItems < 2),
  },
  maxContains: { reason: 'a grammar cannot count items that match', idle: (_, schema) => !('contains' in schema) },
  minContains: {
    reason: 'a grammar cannot count items that match',
    idle: (value, schema) => !('contains' in schema) || value === 0 || value === 1,
  },
  unevaluatedItems: { reason: 'a grammar does not know what other parts have matched', idle: saysNothing },
  unevaluatedProperties: { reason: 'a grammar does not know what other parts have matched', idle: saysNothing },
  $dynamicRef: { reason: 'references that depend on the way to them are not followed', idle: () => false },
  $recursiveRef: { reason: 'references that depend on the way to them are not followed', idle: () => false },
  extends: { reason: 'draft 3 is not supported', idle: value => typeof value !== 'object' },
  disallow: { reason: 'draft 3 is not supported', idle: value => typeof value !== 'string' && !Array.isArray(value) },
  divisibleBy: { reason: 'draft 3 is not supported', idle: value => typeof value !== 'number' },
};

function saysNothing(value: unknown): boolean {
  return value === true || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}

/** Whether a keyword changes which values are valid. */
export function hasEffect(keyword: string): boolean {
  return effective.has(keyword);
}

const effective = new Set<string>([...enforced, ...Object.keys(inexpressible)]);

/** For the documentation. */
export const ignored: readonly string[] = withoutEffect;

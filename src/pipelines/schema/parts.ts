import type { JsonSchema } from './types.ts';

/** What a schema says of the values that it lets through, as far as it is plain. */

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** The same without null. */
export function withoutNull(schema: JsonSchema): JsonSchema {
  if (!isObject(schema)) return schema;
  const { anyOf, type } = schema;
  if (Array.isArray(anyOf)) {
    const rest = anyOf.filter(each => !(isObject(each) && each.type === 'null'));
    return rest.length === 1 ? withoutNull(rest[0] as JsonSchema) : { ...schema, anyOf: rest };
  }
  if (!Array.isArray(type) || !type.includes('null')) return schema;
  const rest = type.filter(each => each !== 'null');
  return { ...schema, type: rest.length === 1 ? rest[0] : rest };
}

export function orNull(schema: JsonSchema): JsonSchema {
  return schema === true ? true : { anyOf: [schema, { type: 'null' }] };
}

/** The names that its objects may have; undefined: any. */
export function propertiesOf(schema: JsonSchema): Readonly<Record<string, JsonSchema>> | undefined {
  const plain = withoutNull(schema);
  if (!isObject(plain) || plain.type !== 'object' || !isObject(plain.properties)) return undefined;
  const { additionalProperties } = plain;
  if (additionalProperties !== undefined && additionalProperties !== false) return undefined;
  return plain.properties as Record<string, JsonSchema>;
}

/** What the items of its lists are. */
export function itemsOf(schema: JsonSchema): JsonSchema {
  const plain = withoutNull(schema);
  if (!isObject(plain) || plain.prefixItems !== undefined) return true;
  return (plain.items as JsonSchema | undefined) ?? true;
}

/** What a value under this key is. */
export function propertyOf(schema: JsonSchema, key: string): JsonSchema {
  const plain = withoutNull(schema);
  if (!isObject(plain)) return true;
  const { properties, additionalProperties } = plain;
  if (isObject(properties) && Object.hasOwn(properties, key)) return properties[key] as JsonSchema;
  return isObject(additionalProperties) ? additionalProperties : true;
}

/** What is one or another of these. */
export function union(schemas: readonly JsonSchema[]): JsonSchema {
  const different = [...new Map(schemas.map(each => [JSON.stringify(each), each])).values()];
  if (different.length === 1) return different[0]!;
  return different.includes(true) || different.length === 0 ? true : { anyOf: different };
}

import { z } from 'zod';

/** The keywords of JSON Schema (2020-12) that pipelines know, and of which type of value each says something. */
const sizes = z.int().min(0);
const any = z.unknown();

export const keywords: Readonly<Record<string, { readonly value: z.ZodType; readonly of?: string }>> = {
  type: {
    value: z.union([typeName(), z.array(typeName()).min(1)], {
      error: 'must be string, number, integer, boolean, object, array or null, or a list of these',
    }),
  },
  enum: { value: z.array(any, { error: 'must be a list' }).min(1, { error: 'must not be empty' }).max(1000) },
  const: { value: any },
  anyOf: { value: list() },
  oneOf: { value: list() },
  allOf: { value: list() },
  $ref: { value: z.string({ error: 'must be a text such as #/$defs/name' }).regex(/^#(?:\/.*)?$/) },
  $defs: { value: mapping() },
  properties: { value: mapping(), of: 'object' },
  required: { value: z.array(z.string(), { error: 'must be a list of names' }), of: 'object' },
  additionalProperties: { value: any, of: 'object' },
  propertyNames: { value: any, of: 'object' },
  minProperties: { value: sizes, of: 'object' },
  maxProperties: { value: sizes, of: 'object' },
  items: { value: any, of: 'array' },
  prefixItems: { value: list(), of: 'array' },
  minItems: { value: sizes, of: 'array' },
  maxItems: { value: sizes, of: 'array' },
  minLength: { value: sizes, of: 'string' },
  maxLength: { value: sizes, of: 'string' },
  pattern: { value: z.string(), of: 'string' },
  format: { value: z.string(), of: 'string' },
  minimum: { value: z.number(), of: 'number' },
  maximum: { value: z.number(), of: 'number' },
  exclusiveMinimum: { value: z.number(), of: 'number' },
  exclusiveMaximum: { value: z.number(), of: 'number' },
  multipleOf: { value: z.number().positive(), of: 'number' },
  title: { value: z.string() },
  description: { value: z.string() },
  default: { value: any },
  examples: { value: z.array(any) },
  $comment: { value: z.string() },
  $schema: { value: z.string() },
};

/** Say nothing of what a value must be. */
export const annotations = ['title', 'description', 'default', 'examples', '$comment', '$schema'];

function typeName() {
  return z.enum(['string', 'number', 'integer', 'boolean', 'object', 'array', 'null']);
}

function list() {
  return z.array(any, { error: 'must be a list of schemas' }).min(1, { error: 'must not be empty' });
}

function mapping() {
  return z.record(z.string(), any, { error: 'must be a mapping of names to schemas' });
}

/** What the schemas of bodies say of fields: those that are honoured, ignored and refused. */
import { z } from 'zod';
import { fates } from '../../src/server/fields.ts';

export type Fate = 'honoured' | 'ignored' | 'refused';

/** The fields, by name, of all objects that the schema may read at a path; lists are gone through. */
export function fieldsAt(schema: z.ZodType, path: readonly string[] = []): Map<string, Fate> {
  let found = [...objectsIn(schema)];
  for (const name of path)
    found = found.flatMap(({ shape }) => (shape[name] ? [...objectsIn(shape[name] as z.ZodType)] : []));
  const fields = found.flatMap(({ shape }) => Object.entries(shape));
  return new Map(fields.map(([name, field]) => [name, fateOf(field as z.ZodType)]));
}

function fateOf(schema: z.ZodType): Fate {
  const { description } = schema.meta() ?? {};
  if (description === fates.ignored) return 'ignored';
  return description === fates.refused ? 'refused' : 'honoured';
}

function* objectsIn(schema: z.ZodType): Generator<z.ZodObject> {
  if (schema instanceof z.ZodObject) yield schema;
  for (const inner of innerOf(schema)) yield* objectsIn(inner as z.ZodType);
}

function innerOf(schema: z.ZodType): readonly unknown[] {
  if (schema instanceof z.ZodPipe) return [schema.in, schema.out];
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return [schema.unwrap()];
  if (schema instanceof z.ZodArray) return [schema.element];
  return schema instanceof z.ZodUnion ? schema.options : [];
}

import { readFile } from 'node:fs/promises';
import { RealmError } from '../errors.ts';
import type { ConstraintSource } from '../output-format/constraint-source.ts';

/** What a file says that answers must be: a JSON Schema, or a grammar (Lark by the name `.lark`, else GBNF). */
export async function readConstraint({
  schema,
  grammar,
}: {
  readonly schema?: string;
  readonly grammar?: string;
}): Promise<ConstraintSource | undefined> {
  if (schema !== undefined && grammar !== undefined)
    throw new RealmError('usage', 'an answer fits a schema or a grammar: give --schema or --grammar.');
  if (schema !== undefined) return { kind: 'json_schema', schema: await textOf(schema, '--schema') };
  if (grammar === undefined) return undefined;
  return { kind: grammar.endsWith('.lark') ? 'lark' : 'gbnf', grammar: await textOf(grammar, '--grammar') };
}

async function textOf(path: string, option: string): Promise<string> {
  return readFile(path, 'utf8').catch(cause => {
    throw new RealmError('usage', `${option}: ${path} cannot be read (${cause.code ?? cause.message}).`, { cause });
  });
}

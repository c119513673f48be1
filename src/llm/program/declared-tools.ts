import { RealmError } from '../../errors.ts';
import type { DeclaredTool, ToolUse } from '../../output-format/constraint-source.ts';

/** Names that every output format can write. */
export const toolNamePattern = /^[\w.-]{1,128}$/;
export const notAToolName = 'must be a name of at most 128 letters, digits, _, . and -';

export const noParameters = { type: 'object', properties: {} };

/** The tools that a program declares: JSON text of the list of Chat Completions, alone or as `tools` of an object. Throws `invalid_request`. */
export function declaredTools(text: string, choice: 'auto' | 'required' = 'auto'): ToolUse | undefined {
  const value = text.trim() === '' ? undefined : parse(text);
  const tools = Array.isArray(value) ? value : (value as { tools?: unknown } | null | undefined)?.tools;
  return toolUse(tools, choice, refused);
}

/** What the list of Chat Completions declares; undefined: no tools. Throws what `refused` makes of the first mistake. */
export function toolUse(
  list: unknown,
  choice: ToolUse['choice'],
  refused: (problem: string) => RealmError,
): ToolUse | undefined {
  const tools = list ?? [];
  if (!Array.isArray(tools)) throw refused('must be a list');
  const declared = tools.map((tool, i) => toDeclared(tool, i, refused));
  const names = declared.map(({ name }) => name);
  const twice = names.findIndex((name, i) => names.indexOf(name) < i);
  if (twice >= 0) throw refused(`[${twice}].function.name: two tools are named ${names[twice]}`);
  return declared.length > 0 ? { declared, choice, parallel: true } : undefined;
}

function toDeclared(tool: unknown, i: number, refused: (problem: string) => RealmError): DeclaredTool {
  const { type, function: given } = (tool ?? {}) as { type?: unknown; function?: unknown };
  if (type !== 'function') throw refused(`[${i}].type: must be "function"`);
  const { name, parameters } = (given ?? {}) as { name?: unknown; parameters?: unknown };
  if (typeof name !== 'string' || !toolNamePattern.test(name)) throw refused(`[${i}].function.name: ${notAToolName}`);
  const schema = parameters ?? noParameters;
  if (typeof schema !== 'object' || Array.isArray(schema))
    throw refused(`[${i}].function.parameters: must be a JSON Schema, an object`);
  return { name, parameters: JSON.stringify(schema) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refused(`are no JSON: ${(error as Error).message}`);
  }
}

const refused = (problem: string) => new RealmError('invalid_request', `The program's tools: ${problem}`);

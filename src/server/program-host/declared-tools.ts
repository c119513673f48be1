import { RealmError } from '../../errors.ts';
import { check, issueText } from '../../tenancy/issues.ts';
import type { ToolUse } from '../fields.ts';
import { toolsField, toToolUse } from '../tool-fields.ts';

/** The tools that a program declares: JSON text of the list of Chat Completions, alone or as `tools` of an object. Throws `invalid_request`. */
export function declaredTools(text: string, choice: 'auto' | 'required' = 'auto'): ToolUse | undefined {
  if (text.trim() === '') return undefined;
  const value = parse(text);
  const checked = check(toolsField, Array.isArray(value) ? value : (value as { tools?: unknown } | null)?.tools);
  if ('issues' in checked) throw refused(checked.issues.slice(0, 10).map(issueText).join('; '));
  return toToolUse({ tools: checked.value, tool_choice: choice, parallel_tool_calls: true }, (path, message) => {
    throw refused(`${path.join('.')}: ${message}`);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refused(`are no JSON: ${(error as Error).message}`);
  }
}

const refused = (problem: string) => new RealmError('invalid_request', `The program's tools: ${problem}`);

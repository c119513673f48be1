import { z } from 'zod';
import { noParameters, notAToolName, toolNamePattern } from '../llm/program/declared-tools.ts';
import type { ToolUse } from '../output-format/constraint-source.ts';
import { ignored, ofType, optional } from './fields.ts';

/** Tools that a request declares, in the shape of Chat Completions. */

/** Names that every output format can write. */
export const toolName = z.string().regex(toolNamePattern, { error: notAToolName });

const tool = z.object({
  type: z.literal('function'),
  function: z.object({
    name: toolName,
    description: optional(z.string()),
    parameters: optional(z.record(z.string(), z.unknown(), { error: ofType('must be a JSON Schema, an object') })),
    /** Calls fit their schema in any case. */
    strict: ignored(),
  }),
});

/** What templates were trained with: no other fields. */
export interface ToolDeclaration {
  readonly type: 'function';
  readonly function: {
    readonly name: string;
    readonly description?: string;
    readonly parameters: Readonly<Record<string, unknown>>;
  };
}

export const toolsField = optional(
  z.array(tool).transform((tools, context): ToolDeclaration[] => {
    const names = new Set<string>();
    return tools.map(({ type, function: { name, description, parameters } }, i) => {
      if (names.has(name))
        context.addIssue({ code: 'custom', message: `two tools are named ${name}`, path: [i, 'function', 'name'] });
      names.add(name);
      return {
        type,
        function: { name, ...(description !== undefined && { description }), parameters: parameters ?? noParameters },
      };
    });
  }),
);

const named = z.object({ type: z.literal('function'), function: z.object({ name: z.string() }) });
const allowed = z.object({
  type: z.literal('allowed_tools'),
  allowed_tools: z.object({ mode: z.enum(['auto', 'required']), tools: z.array(named).min(1) }),
});
const words = ['none', 'auto', 'required'] as const;

export const toolChoiceField = optional(
  z.union([z.enum(words), named, allowed], { error: 'must be "none", "auto", "required", or name a function' }),
);

export const toolFields = {
  tools: toolsField,
  tool_choice: toolChoiceField,
  parallel_tool_calls: optional(z.boolean()),
};

export type ToolFields = z.output<z.ZodObject<typeof toolFields>>;

/** The tools that the answer may call; undefined where it may call none. Adds what is wrong with the choice to `issues`. */
export function toToolUse(
  fields: ToolFields,
  refuse: (path: (string | number)[], message: string) => void,
): ToolUse | undefined {
  const { tools = [], tool_choice: choice = 'auto', parallel_tool_calls: parallel = true } = fields;
  if (choice === 'none') return undefined;
  const { names, path, must } = chosen(choice);
  if (must && tools.length === 0) refuse(['tool_choice'], 'needs tools');
  else
    for (const [i, name] of (names ?? []).entries()) {
      if (!tools.some(tool => tool.function.name === name)) refuse(path(i), `there is no tool ${JSON.stringify(name)}`);
    }
  const usable = names === undefined ? tools : tools.filter(tool => names.includes(tool.function.name));
  if (usable.length === 0) return undefined;
  const declared = usable.map(({ function: { name, parameters } }) => ({
    name,
    parameters: JSON.stringify(parameters),
  }));
  const isNamed = typeof choice === 'object' && choice.type === 'function';
  return { declared, choice: must ? 'required' : 'auto', parallel: parallel && !isNamed };
}

interface Chosen {
  /** Absent: all. */
  readonly names?: readonly string[];
  readonly must: boolean;
  path(index: number): (string | number)[];
}

function chosen(choice: Exclude<ToolFields['tool_choice'], undefined>): Chosen {
  if (typeof choice === 'string') return { must: choice === 'required', path: () => ['tool_choice'] };
  if (choice.type === 'function')
    return { names: [choice.function.name], must: true, path: () => ['tool_choice', 'function', 'name'] };
  const { mode, tools } = choice.allowed_tools;
  return {
    names: tools.map(tool => tool.function.name),
    must: mode === 'required',
    path: i => ['tool_choice', 'allowed_tools', 'tools', i, 'function', 'name'],
  };
}

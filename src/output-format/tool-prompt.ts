import { hermes } from './shipped.ts';
import type { ToolFormat } from './types.ts';

/** Formats that a model without one can be told, by the names that requests and configurations give them. */
export const injected: Readonly<
  Record<string, { readonly format: ToolFormat; prompt(tools: readonly unknown[]): string }>
> = {
  hermes: {
    format: hermes,
    prompt: tools => `# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
${tools.map(tool => JSON.stringify(tool)).join('\n')}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>`,
  },
};

/** The result of a call, for a template that has no role for it: the text of a user's message. */
export const toolResponse = (content: string): string => `<tool_response>\n${content}\n</tool_response>`;

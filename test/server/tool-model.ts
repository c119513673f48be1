/** A scripted model with tools. */
import { ScriptedModel } from './scripted.ts';

/** As Qwen writes calls. */
export const toolFormat: ScriptedModel['format'] = {
  reasoning: { open: '<think>', close: '</think>' },
  tools: {
    begin: '<tool_call>\n',
    call: [
      { kind: 'text', text: '{"name": "' },
      { kind: 'name' },
      { kind: 'text', text: '", "arguments": ' },
      { kind: 'arguments', style: { kind: 'json' } },
      { kind: 'text', text: '}' },
    ],
    between: '\n</tool_call>\n<tool_call>\n',
    end: '\n</tool_call>',
    history: 'object',
  },
};

/** A scripted model that knows calls and thoughts; its template writes all that it gets, as JSON. */
export class ToolModel extends ScriptedModel {
  override readonly format = toolFormat;
  override readonly template: ScriptedModel['template'] = {
    name: 'file',
    source: '',
    habits: { content: 'text', system: 'own' },
    render: (messages, { tools, variables } = {}) => ascii(JSON.stringify({ messages, tools, variables })),
  };
}

/** The same JSON in characters that the scripted vocabulary has. */
const ascii = (json: string): string =>
  json.replaceAll(/[^ -~]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** The text of a call. */
export function callText(name: string, given: object): string {
  return `<tool_call>\n{"name": "${name}", "arguments": ${JSON.stringify(given)}}\n</tool_call>`;
}

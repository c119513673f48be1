import { ScriptedModel } from './scripted.ts';

/** A scripted model that can think and call tools, in Qwen's format. */
export class ToolModel extends ScriptedModel {
  override readonly format: ScriptedModel['format'] = {
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
  override readonly template: ScriptedModel['template'] = {
    name: 'file',
    source: '',
    habits: { content: 'text', system: 'own' },
    render: (messages, { tools } = {}) => ascii(JSON.stringify({ messages, tools })),
  };
}

/** The same JSON in characters that the scripted vocabulary has. */
const ascii = (json: string): string =>
  json.replaceAll(/[^ -~]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** What the model writes to call a tool. */
export const calling = (name: string, given: object): string =>
  `<tool_call>\n{"name": "${name}", "arguments": ${JSON.stringify(given)}}\n</tool_call>`;

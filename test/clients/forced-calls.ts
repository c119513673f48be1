/** Calls that must come fit their tool's schema, whatever the model would have liked to write: judged by another validator. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { client, type Served } from './server.ts';
import { type ToolCase, toolCases } from './tool-cases.ts';

const ajv = new Ajv2020({ strict: false, formats: { date: /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/ } });

export function forcedCalls(served: Served): void {
  for (const model of ['smol', 'qwen'])
    for (const each of toolCases)
      it(`${model}: ${each.name}`, async () => {
        const validate = ajv.compile(each.parameters);
        const given = await call(served.url, model, each);
        assert.ok(validate(JSON.parse(given)), `${given}: ${ajv.errorsText(validate.errors)}`);
      });
}

async function call(url: string, model: string, { name, asked, parameters }: ToolCase): Promise<string> {
  const { choices } = await client(url).chat.completions.create({
    ...{ model, temperature: 0, max_tokens: 120, tool_choice: 'required', parallel_tool_calls: false },
    messages: [{ role: 'user', content: asked }],
    tools: [{ type: 'function', function: { name, parameters } }],
  });
  const [choice] = choices;
  const [made] = choice?.message.tool_calls ?? [];
  assert.ok(made?.type === 'function' && made.function.name === name, JSON.stringify(choice));
  assert.equal(choice?.finish_reason, 'tool_calls', made.function.arguments);
  return made.function.arguments;
}

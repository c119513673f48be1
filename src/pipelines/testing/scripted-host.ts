import type { ModelRequest, PipelineHost, StepCall } from '../host.ts';

type Answer<Request> = (request: Request, call: StepCall) => unknown;

export interface Script {
  readonly model?: Answer<ModelRequest>;
  readonly program?: (name: string, input: unknown, call: StepCall) => unknown;
  readonly tool?: (name: string, input: unknown, call: StepCall) => unknown;
}

/** A host whose answers are written down: texts are said as they are, other values of models and programs as JSON. */
export function scriptedHost(script: Script): PipelineHost {
  const asText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  const none = (what: string) => () => {
    throw new Error(`the script has no ${what}`);
  };
  const { model = none('model'), program = none('program'), tool = none('tool') } = script;
  return {
    async generate(request, call) {
      const text = asText(await model(request, call));
      await call.onText(text);
      return text;
    },
    runProgram: async (name, input, call) => asText(await program(name, input, call)),
    callTool: async (name, input, call) => await tool(name, input, call),
  };
}

/** What a model was asked: the last message, or the text to go on with. */
export function promptOf({ messages, completion }: ModelRequest): string {
  return completion ?? messages?.at(-1)?.content ?? '';
}

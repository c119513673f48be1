import { RealmError } from '../../errors.ts';
import { noUsage } from '../../llm/usage.ts';
import type { JsonSchema } from '../../pipelines/schema/types.ts';
import type { Pipeline } from '../../pipelines/types.ts';
import type { ChoiceEvent } from '../choice.ts';
import type { GenerationBody } from '../fields.ts';
import { chatFormat } from '../format.ts';
import { respondWith } from '../respond.ts';
import type { AppContext } from '../route.ts';
import { pipelinePrefix } from './book.ts';
import { longestInput } from './request.ts';
import { beginRun, type RunEvent } from './run.ts';

/** A pipeline as a model in Chat Completions: what the user says last is its input, its output is the answer. */

/** The pipeline that a body names as its model; undefined: it names none. */
export function pipelineOf({ model }: GenerationBody): string | undefined {
  return model?.startsWith(pipelinePrefix) ? model.slice(pipelinePrefix.length) : undefined;
}

export async function respondWithPipeline(context: AppContext, name: string, body: GenerationBody): Promise<Response> {
  const { services, exchange, tenant } = context.var;
  const served = services.pipelines.find(tenant, name);
  checkFields(body);
  const call = { owner: tenant, signal: exchange.signal };
  const said = await services.text.run('lastOfUser', call, body.prompts[0] as string);
  const input = inputOf(served.pipeline.input, said);
  const { events } = beginRun(services, exchange, { tenant, served, input });
  return respondWith(
    context,
    chatFormat,
    { ...body, name: pipelinePrefix + name },
    choiceOf(streamedStep(served.pipeline), events),
  );
}

/** What a pipeline cannot do is refused; how its models answer is its own, whatever the request says. */
function checkFields({ n, tools, session, saveSession, settings }: GenerationBody): void {
  const wrong = Object.entries({
    n: n > 1,
    tools: tools !== undefined,
    response_format: settings.constraint !== undefined,
    logprobs: settings.topLogprobs !== undefined,
    session: session !== undefined,
    save_session: saveSession !== undefined,
  }).find(([, asked]) => asked)?.[0];
  if (wrong === undefined) return;
  throw new RealmError('invalid_request', `${wrong}: a pipeline does not have it; leave it out`, { param: wrong });
}

/** The text as it is where the pipeline wants one text, else the JSON that it is. */
function inputOf(schema: JsonSchema, text: string | undefined): unknown {
  if (text === undefined)
    throw new RealmError('invalid_request', 'messages: one of the user is required', { param: 'messages' });
  if (isString(schema)) return text;
  if (text.length > longestInput)
    throw new RealmError('invalid_request', `messages: an input has at most ${longestInput} characters`, {
      param: 'messages',
    });
  const property = onlyText(schema);
  const json = parsed(text);
  if (property !== undefined) return isInput(json, schema, property) ? json : { [property]: text };
  if (json !== undefined) return json;
  const message = `messages: what the user says last must be JSON, as the pipeline's input: ${JSON.stringify(schema)}`;
  throw new RealmError('invalid_request', message, { param: 'messages' });
}

/** Undefined for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether it has the text, and nothing that the schema does not name: a client that knows the schema has sent it. */
function isInput(json: unknown, schema: JsonSchema, property: string): boolean {
  if (typeof json !== 'object' || json === null || typeof schema === 'boolean') return false;
  const known = Object.keys((schema.properties ?? {}) as object);
  return Object.hasOwn(json, property) && Object.keys(json).every(key => known.includes(key));
}

/** The property that is a text, if it is the only one and no other is required. */
function onlyText(schema: JsonSchema): string | undefined {
  if (typeof schema === 'boolean') return undefined;
  const properties = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>);
  const texts = properties.filter(([, each]) => isString(each)).map(([name]) => name);
  const required = (schema.required ?? []) as readonly string[];
  return texts.length === 1 && required.every(name => name === texts[0]) ? texts[0] : undefined;
}

const isString = (schema: JsonSchema): boolean => typeof schema === 'object' && schema.type === 'string';

async function* choiceOf(streamed: string | undefined, events: AsyncIterable<RunEvent>): AsyncGenerator<ChoiceEvent> {
  let said = '';
  for await (const event of events) {
    if (event.kind === 'output') {
      const content = contentOf(event.output);
      // What has been said of it is not said again.
      const rest = content.startsWith(said) ? content.slice(said.length) : '';
      if (rest !== '') yield piece(rest);
    } else if (event.kind === 'text' && event.step === streamed) {
      said += event.text;
      yield piece(event.text);
    } else if (event.kind === 'retried' && event.step === streamed && said !== '') {
      const message = `step '${event.step}' failed after its text had been sent: ${event.code}: ${event.message}`;
      throw new RealmError('pipeline_failed', message);
    }
  }
  yield { kind: 'end', index: 0, reason: 'stop', usage: noUsage, tokens: [] };
}

const piece = (content: string): ChoiceEvent => ({ kind: 'text', index: 0, content, logprobs: [] });

const contentOf = (output: unknown): string => (typeof output === 'string' ? output : JSON.stringify(output ?? null));

/** The model's step whose plain text is the output. */
function streamedStep({ steps, outputStep }: Pipeline): string | undefined {
  const step = steps.find(({ id }) => id === outputStep);
  if (step?.kind !== 'model' || typeof step.output === 'boolean') return undefined;
  const { type, enum: choices, const: only } = step.output;
  return type === 'string' && choices === undefined && only === undefined ? step.id : undefined;
}

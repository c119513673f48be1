import { ranges } from '../../ranges.ts';
import type { Fields } from '../document/fields.ts';
import type { ModelRequest, ModelSettings } from '../host.ts';
import type { StepKind, StepReading } from '../plan/kind.ts';
import type { StepContext } from '../plan/planned.ts';
import type { StepReader } from '../plan/reader.ts';
import { decodingOf, unenforceable } from '../schema/decoding.ts';
import type { Template } from '../template/template.ts';
import { readText } from './answers.ts';

const numbers = {
  max_tokens: ranges.maxTokens,
  min_tokens: ranges.minTokens,
  temperature: ranges.temperature,
  top_p: ranges.topP,
  top_k: ranges.topK,
  min_p: ranges.minP,
  repetition_penalty: ranges.repetitionPenalty,
  presence_penalty: ranges.presencePenalty,
  frequency_penalty: ranges.frequencyPenalty,
  seed: ranges.seed,
};

const roles = ['system', 'user', 'assistant'] as const;
type Role = (typeof roles)[number];
interface Message {
  readonly role: Role;
  readonly content: Template;
}

/** A model answers a prompt; what the output must be constrains its decoding. */
export const model: StepKind = {
  kind: 'model',
  fields: ['prompt', 'system', 'messages', 'completion', ...Object.keys(numbers), 'stop', 'adapter'],
  read(fields, reader) {
    const name = fields.text('model', { required: true })?.value;
    const messages = readMessages(fields, reader);
    const completion = readTemplate(fields, 'completion', reader);
    const settings = readSettings(fields);
    if (name === undefined) return undefined;
    reader.shared.uses.models.add(name);
    const schema = reader.schema(fields, 'output')?.schema ?? { type: 'string' };
    const decoding = decodingOf(schema);
    const problem = decoding.constraint && unenforceable(schema);
    if (problem) fields.wrong(fields.at('output'), `no model can be held to this output: ${problem}`);
    const request = (context: StepContext): ModelRequest => ({
      model: name,
      ...(completion
        ? { completion: completion.render(context.values.jinja) }
        : {
            messages: messages.map(each => ({ role: each.role, content: each.content.render(context.values.jinja) })),
          }),
      constraint: decoding.constraint,
      // With the same seed, another try would fail in the same way.
      settings: settings.seed === undefined ? settings : { ...settings, seed: settings.seed + context.attempt },
    });
    return {
      target: name,
      check(names) {
        for (const { content } of messages) content.check(names);
        completion?.check(names);
        return fields.has('output') ? true : { type: 'string' };
      },
      async run(context) {
        const asked = request(context);
        return readText(await context.call((host, call) => host.generate(asked, call)), decoding);
      },
    } satisfies StepReading;
  },
};

function readMessages(fields: Fields, reader: StepReader): Message[] {
  const given = ['prompt', 'messages', 'completion'].filter(key => fields.has(key));
  if (given.length === 0) fields.wrong(fields.at('model'), "a model needs a 'prompt', 'messages' or a 'completion'");
  if (given.length > 1) fields.wrong(fields.at(given[1]!), `'${given[0]}' and '${given[1]}' exclude each other`);
  if (fields.has('system') && !fields.has('prompt')) fields.wrong(fields.at('system'), "'system' goes with 'prompt'");
  const messages = (['system', 'prompt'] as const).flatMap(key => {
    const content = readTemplate(fields, key, reader);
    return content ? [{ role: key === 'system' ? ('system' as const) : ('user' as const), content }] : [];
  });
  return [...messages, ...fields.list('messages').flatMap(each => readMessage(each, reader) ?? [])];
}

function readMessage(fields: Fields, reader: StepReader): Message | undefined {
  fields.only(['role', 'content'], 'a message');
  const role = fields.text('role', { required: true });
  const content = readTemplate(fields, 'content', reader, true);
  if (role && !roles.includes(role.value as Role)) {
    fields.wrong(role.at(0), `'${role.value}' is no role; there are ${roles.join(', ')}`);
  }
  return role && content && { role: role.value as Role, content };
}

function readTemplate(fields: Fields, key: string, reader: StepReader, required = false): Template | undefined {
  const text = fields.text(key, { required });
  return text && reader.template(text);
}

function readSettings(fields: Fields): ModelSettings {
  const read = Object.entries(numbers).map(([key, range]) => [key, fields.number(key, range)] as const);
  const stop = fields.texts('stop').map(({ value }) => value);
  return {
    ...Object.fromEntries(read.filter(([, value]) => value !== undefined)),
    ...(stop.length > 0 ? { stop } : {}),
    ...(fields.has('adapter') ? { adapter: fields.text('adapter')?.value } : {}),
  };
}

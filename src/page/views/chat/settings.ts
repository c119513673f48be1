/** What the user chooses beside the messages; texts as they were typed, empty ones are the server's defaults. */
export interface Settings {
  readonly model: string;
  readonly system: string;
  readonly temperature: string;
  readonly top_p: string;
  readonly top_k: string;
  readonly min_p: string;
  readonly repetition_penalty: string;
  readonly max_tokens: string;
  readonly seed: string;
  /** A stop string a line. */
  readonly stop: string;
  readonly logprobs: boolean;
  readonly format: 'text' | 'json_object' | 'json_schema';
  readonly schema: string;
  /** A JSON list of functions. */
  readonly tools: string;
  readonly tool_choice: 'auto' | 'none' | 'required';
}

export const defaultSettings: Settings = {
  model: '',
  system: '',
  temperature: '',
  top_p: '',
  top_k: '',
  min_p: '',
  repetition_penalty: '',
  max_tokens: '',
  seed: '',
  stop: '',
  logprobs: false,
  format: 'text',
  schema: '',
  tools: '',
  tool_choice: 'auto',
};

export const numberFields = [
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'repetition_penalty',
  'max_tokens',
  'seed',
] as const;

/** The request's fields; numbers and schemas are judged by the server. Throws an error in words for what is no JSON. */
export function fieldsOf(settings: Settings): object {
  const { model, logprobs, stop } = settings;
  const numbers = numberFields.filter(name => settings[name].trim() !== '');
  const stops = stop.split('\n').filter(line => line !== '');
  return {
    ...(model !== '' && { model }),
    ...Object.fromEntries(numbers.map(name => [name, Number(settings[name])])),
    ...(stops.length > 0 && { stop: stops }),
    ...(logprobs && { logprobs: true, top_logprobs: 5 }),
    ...formatOf(settings),
    ...toolsOf(settings),
  };
}

function formatOf({ format, schema }: Settings): object {
  if (format === 'text') return {};
  if (format === 'json_object') return { response_format: { type: format } };
  const parsed = parse('JSON Schema', schema);
  return { response_format: { type: format, json_schema: { name: 'answer', strict: true, schema: parsed } } };
}

function toolsOf({ tools, tool_choice }: Settings): object {
  if (tools.trim() === '') return {};
  const parsed = parse('Tools', tools);
  const list = Array.isArray(parsed) ? parsed : [parsed];
  return { tools: list.map(asTool), ...(tool_choice !== 'auto' && { tool_choice }) };
}

/** A function alone is a tool too. */
const asTool = (tool: object): object => ('function' in tool ? tool : { type: 'function', function: tool });

function parse(what: string, text: string): object {
  const value = tryParse(text);
  if (typeof value !== 'object' || value === null)
    throw new Error(`${what}: this is no JSON of the kind that is wanted`);
  return value;
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

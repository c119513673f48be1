import packageFile from '../../../package.json' with { type: 'json' };

export const { version } = packageFile;

const param = (name: string, type: string, description: string, required = false) => ({
  name,
  type,
  description,
  required,
});

/** What can be called on /v1/ws. */
export const describedFunctions = [
  {
    name: 'generate',
    description: 'An answer to a chat or the continuation of a text',
    params: [
      param('messages', 'array', 'The chat; one of messages and prompt'),
      param('prompt', 'string', 'The text; one of messages and prompt'),
      param('stream', 'boolean', 'Whether pieces are sent as they come; default true'),
      param('…', 'any', 'All fields of POST /v1/chat/completions, or of POST /v1/completions'),
    ],
    returns: '{text, finish_reason, tokens_generated, prompt_tokens, usage, time_ms, model, request_id}',
    streaming: true,
  },
  {
    name: 'pipeline',
    description: 'The output of a pipeline',
    params: [
      param('name', 'string', 'One of GET /v1/pipelines', true),
      param('input', 'any', "What the pipeline's input schema wants"),
      param('stream', 'boolean', 'Whether steps and their text are sent as they come; default true'),
    ],
    returns: '{id, pipeline, output, usage, steps, time_ms, request_id}',
    streaming: true,
  },
  {
    name: 'cancel',
    description: 'Ends the call of this id',
    params: [],
    returns: 'nothing of its own: the call ends as cancelled',
    streaming: false,
  },
  {
    name: 'health',
    description: 'Whether the server lives',
    params: [],
    returns: '{status, version}',
    streaming: false,
  },
  {
    name: 'metadata',
    description: 'What can be called, and the models',
    params: [],
    returns: '{version, functions, models}',
    streaming: false,
  },
];

import type { ToGuest } from '../messages.ts';
import type { GenOptions, RunKind } from '../types.ts';

type Start = Pick<Extract<ToGuest, { kind: 'start' }>, 'input' | 'modelId' | 'prompt' | 'options'>;

/** What `run` gets, as JSON. The prompt of a chat and of a call is JSON already and may be long: it is not read again. */
export function runInput({ input: kind = 'chat', modelId, prompt, options }: Start): string {
  const head = `{"kind":"${kind}","model":${modelId},"options":${optionsText(options)},`;
  return `${head}${bodyOf(kind, prompt)}}`;
}

function bodyOf(kind: RunKind, prompt: string): string {
  switch (kind) {
    case 'chat':
      // A text without a document is a message of the user's, as in v1.
      return prompt.startsWith('{"messages"')
        ? prompt.slice(1, -1)
        : `"messages":${JSON.stringify([{ role: 'user', content: prompt }])}`;
    case 'completion':
      return `"prompt":${JSON.stringify(prompt)}`;
    case 'call':
      return `"input":${prompt}`;
  }
}

/** The seed, an integer of 64 bits, is there where the request has one. */
function optionsText({ maxTokens, temperature, topP, topK, repetitionPenalty, seed }: GenOptions): string {
  const options = {
    max_tokens: maxTokens,
    temperature,
    top_p: topP,
    top_k: topK,
    repetition_penalty: repetitionPenalty,
  };
  const text = JSON.stringify(options);
  return seed === 0n ? text : `${text.slice(0, -1)},"seed":${seed}}`;
}

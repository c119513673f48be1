import type { ChatMessage } from './types.ts';

interface Call {
  readonly id?: unknown;
  readonly function?: { readonly name?: unknown };
}

interface Response {
  readonly name: unknown;
  readonly response: string;
}

/** What came of calls as `tool_responses` of the turn that made them, where templates look for it that know no turns of tools. */
export function resultsInside(messages: readonly ChatMessage[]): ChatMessage[] {
  const turns: ChatMessage[] = [];
  for (const message of messages) {
    const last = turns.at(-1);
    if (last && message.role === 'tool' && Array.isArray(last.tool_calls)) {
      const responses = responsesOf(last);
      const response = { name: nameOf(message, last.tool_calls, responses.length), response: message.content };
      // Behind results the text would be what the model made of them.
      const said = responses.length === 0 && last.content !== '' ? [{ role: last.role, content: last.content }] : [];
      const content = said.length > 0 ? '' : last.content;
      turns.splice(-1, 1, ...said, { ...last, content, tool_responses: [...responses, response] });
    } else if (last && goesOn(last, message)) turns[turns.length - 1] = { ...last, content: message.content };
    else turns.push(message);
  }
  return turns;
}

const responsesOf = ({ tool_responses: given }: ChatMessage): Response[] => (Array.isArray(given) ? given : []);

/** The text behind results is of the turn that they are in. */
const goesOn = (last: ChatMessage, { role, tool_calls: calls }: ChatMessage): boolean =>
  role === 'assistant' && !Array.isArray(calls) && responsesOf(last).length > 0 && last.content === '';

/** The function's name: that of the call with the same id, or of the one in the same place. */
function nameOf({ tool_call_id: id, name }: ChatMessage, calls: readonly Call[], place: number): unknown {
  const called = calls.find(call => id !== undefined && call.id === id) ?? calls[place];
  return called?.function?.name ?? name;
}

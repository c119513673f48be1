import type { FinishReason } from '../engine/request.ts';
import type { TextLogprob } from '../llm/types.ts';
import type { ToolCall } from '../output-format/types.ts';
import type { ChoiceEvent } from './choice.ts';

/** A choice in one piece, for all APIs. */
export interface WholeChoice {
  content: string;
  reasoning: string;
  /** Each with the id that clients answer it by. */
  readonly calls: Required<ToolCall>[];
  readonly logprobs: TextLogprob[];
  reason: FinishReason;
  /** What ended it, where it was one. */
  stopString?: string | undefined;
}

/** The answer's choices when all have ended. */
export async function wholeChoices(events: AsyncIterable<ChoiceEvent>, count: number): Promise<WholeChoice[]> {
  const choices = Array.from({ length: count }, (): WholeChoice => {
    return { content: '', reasoning: '', calls: [], logprobs: [], reason: 'stop' };
  });
  for await (const event of events) {
    const choice = choices[event.index];
    if (choice) add(choice, event);
  }
  return choices;
}

function add(choice: WholeChoice, event: ChoiceEvent): void {
  if (event.kind === 'end') {
    choice.reason = event.reason;
    choice.stopString = event.stopString;
    return;
  }
  const { content = '', reasoning = '', calls = [], logprobs } = event;
  choice.content += content;
  choice.reasoning += reasoning;
  // A prompt's may be more than a call takes arguments.
  for (const each of logprobs) choice.logprobs.push(each);
  for (const { index, id, name, arguments: text } of calls) {
    const known = choice.calls[index];
    choice.calls[index] = {
      id: id ?? known?.id ?? '',
      name: name ?? known?.name ?? '',
      arguments: (known?.arguments ?? '') + text,
    };
  }
}

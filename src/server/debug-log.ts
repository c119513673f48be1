import type { ChoiceEvent } from './choice.ts';
import type { Asking } from './exchange.ts';
import type { GivenPrompt } from './given-prompts.ts';
import type { Job } from './job.ts';
import type { Services } from './services.ts';

/** Longest text of a line, in UTF-16 units. */
const longest = 1 << 16;

/**
 * The same events. Of a tenant that is being debugged, while the log's level is `debug`, prompts and answers are
 * logged: the only place where text of theirs is. For all others nothing stands between.
 */
export function debugged(
  { logs }: Services,
  { id }: Asking,
  { tenant, slot }: Job,
  prompts: readonly GivenPrompt[],
  events: AsyncGenerator<ChoiceEvent>,
): AsyncGenerator<ChoiceEvent> {
  if (!tenant.debug || !logs.wants('debug')) return events;
  const log = (message: string, index: number, text: string) =>
    logs.log('debug', message, {
      request_id: id,
      tenant: tenant.id,
      model: slot.id,
      index,
      characters: text.length,
      text: text.slice(0, longest),
    });
  for (const [i, { text }] of prompts.entries()) log('prompt', i, text);
  return collected(events, (index, text) => log('answer', index, text));
}

/** Tells each answer's text when all have ended, or nobody reads on. */
async function* collected(
  events: AsyncGenerator<ChoiceEvent>,
  tell: (index: number, text: string) => void,
): AsyncGenerator<ChoiceEvent> {
  const texts = new Map<number, string>();
  try {
    for await (const event of events) {
      if (event.kind === 'text') texts.set(event.index, (texts.get(event.index) ?? '') + textOf(event));
      yield event;
    }
  } finally {
    for (const [index, text] of texts) tell(index, text);
  }
}

function textOf({ reasoning = '', content = '', calls = [] }: ChoiceEvent & { kind: 'text' }): string {
  return reasoning + content + calls.map(({ name = '', arguments: json }) => name + json).join('');
}

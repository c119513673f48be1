import { asRealmError } from '../errors.ts';
import type { ChatMessage, TemplateHabits } from './types.ts';

const SYSTEM = 'Say nothing of it.';
const USER = 'Is it raining?';

const usual: TemplateHabits = { content: 'text', system: 'own' };

type Render = (messages: readonly ChatMessage[]) => string;

/** Tries the forms that content and system prompts can have, and takes another than the usual only where it helps. */
export function findHabits(render: Render): TemplateHabits {
  try {
    return tryHabits(render);
  } catch {
    // It goes beyond the limits, and chats will be refused for that.
    return usual;
  }
}

function tryHabits(render: Render): TemplateHabits {
  const shows = (messages: readonly ChatMessage[], ...texts: string[]) => {
    const text = attempt(render, messages);
    return text !== undefined && texts.every(part => text.includes(part));
  };
  const user = { role: 'user', content: USER };
  const system = { role: 'system', content: SYSTEM };
  const needsParts = !shows([user], USER) && shows(adapt([user], { ...usual, content: 'parts' }), USER);
  const own: TemplateHabits = { ...usual, content: needsParts ? 'parts' : 'text' };
  const folded: TemplateHabits = { ...own, system: 'folded' };
  if (shows(adapt([system, user], own), SYSTEM)) return own;
  return shows(adapt([system, user], folded), SYSTEM, USER) ? folded : own;
}

/** What the template renders; undefined where it refuses the messages. */
function attempt(render: Render, messages: readonly ChatMessage[]): string | undefined {
  try {
    return render(messages);
  } catch (error) {
    if (asRealmError(error).code === 'template_limit') throw error;
    return undefined;
  }
}

/** The messages in the form that the template takes. */
export function adapt(messages: readonly ChatMessage[], { content, system }: TemplateHabits): readonly ChatMessage[] {
  const turns = system === 'folded' ? foldSystem(messages) : messages;
  if (content === 'text') return turns;
  return turns.map(turn =>
    // The type says text, as nearly all templates want it.
    typeof turn.content === 'string'
      ? ({ ...turn, content: [{ type: 'text', text: turn.content }] } as unknown as ChatMessage)
      : turn,
  );
}

/** System prompts at the beginning of the next user turn. */
function foldSystem(messages: readonly ChatMessage[]): ChatMessage[] {
  const turns: ChatMessage[] = [];
  let waiting: string[] = [];
  for (const message of messages) {
    if (message.role === 'system') {
      waiting.push(message.content);
    } else if (message.role === 'user' && waiting.length > 0) {
      turns.push({ ...message, content: [...waiting, message.content].join('\n\n') });
      waiting = [];
    } else turns.push(message);
  }
  if (waiting.length > 0) turns.push({ role: 'user', content: waiting.join('\n\n') });
  return turns;
}

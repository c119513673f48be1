import { asRealmError } from '../errors.ts';
import type { ChatMessage, TemplateHabits } from './types.ts';

const SYSTEM = 'Say nothing of it.';
const USER = 'Is it raining?';
const ANSWER = 'It is not.';
const NEWS = 'The wind has turned.';

const THOUGHT = 'The barometer would know.';

const usual: TemplateHabits = { content: 'text', system: 'own' };

const thinks = { role: 'assistant', reasoning_content: THOUGHT };
const call = { name: 'look', arguments: {} };

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
  const called: ChatMessage = { ...thinks, content: '', tool_calls: [{ type: 'function', function: call }] };
  const reads = (habits: TemplateHabits, content: string) =>
    shows(adapt([user, { ...called, content }], habits), THOUGHT);
  const thinking: TemplateHabits = { ...usual, thoughts: 'thinking' };
  const named = !reads(usual, '') && reads(thinking, '');
  const own: TemplateHabits = {
    ...{ ...usual, content: needsParts ? 'parts' : 'text' },
    ...(named && { thoughts: reads(thinking, ANSWER) ? 'thinking' : 'thinking alone' }),
  };
  const folded: TemplateHabits = { ...own, system: 'folded' };
  if (shows(adapt([system, user], own), SYSTEM)) {
    // Agents say what is new in the middle.
    const later = [system, user, { role: 'assistant', content: ANSWER }, { role: 'system', content: NEWS }, user];
    const first: TemplateHabits = { ...own, system: 'first' };
    return !shows(adapt(later, own), NEWS) && shows(adapt(later, first), NEWS) ? first : own;
  }
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
export function adapt(
  messages: readonly ChatMessage[],
  { content, system, thoughts }: TemplateHabits,
): readonly ChatMessage[] {
  const named = thoughts ? messages.map(turn => withThinking(turn, thoughts)) : messages;
  const turns = system === 'own' ? named : foldSystem(named, system === 'first');
  if (content === 'text') return turns;
  return turns.map(turn =>
    // The type says text, as nearly all templates want it.
    typeof turn.content === 'string'
      ? ({ ...turn, content: [{ type: 'text', text: turn.content }] } as unknown as ChatMessage)
      : turn,
  );
}

function withThinking(turn: ChatMessage, thoughts: 'thinking' | 'thinking alone'): ChatMessage {
  const { reasoning_content: thinking = turn.thinking, tool_calls } = turn;
  if (typeof thinking !== 'string' || thinking === '') return turn;
  const alone = thoughts === 'thinking alone' && Array.isArray(tool_calls);
  return { ...turn, thinking, ...(alone && { content: '' }) };
}

/** System prompts as parts of the user's turn before or, where there is none, behind them; but for one that is the first of all and may stay there. */
function foldSystem(messages: readonly ChatMessage[], keepFirst: boolean): ChatMessage[] {
  const turns: ChatMessage[] = [];
  let waiting: string[] = [];
  for (const [i, message] of messages.entries()) {
    const last = turns.at(-1);
    if (message.role !== 'system' || (keepFirst && i === 0)) {
      turns.push(message.role === 'user' ? joined(waiting, message, message) : message);
      if (message.role === 'user') waiting = [];
    } else if (last?.role === 'user') turns[turns.length - 1] = joined([last.content], message, last);
    else waiting.push(message.content);
  }
  if (waiting.length > 0) turns.push({ role: 'user', content: waiting.join('\n\n') });
  return turns;
}

/** A turn with texts before its own. */
const joined = (texts: readonly string[], { content }: ChatMessage, turn: ChatMessage): ChatMessage =>
  texts.length === 0 ? turn : { ...turn, content: [...texts, content].join('\n\n') };

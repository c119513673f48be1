import { asRealmError } from '../errors.ts';
import { resultsInside } from './tool-results.ts';
import type { ChatMessage, TemplateHabits } from './types.ts';

const SYSTEM = 'Say nothing of it.';
const USER = 'Is it raining?';
const ANSWER = 'It is not.';
const NEWS = 'The wind has turned.';
/** A role that no template knows. */
const STRANGER = 'zqstranger';

const THOUGHT = 'The barometer would know.';

const usual: TemplateHabits = { content: 'text', system: 'own' };

const thinks = { role: 'assistant', reasoning_content: THOUGHT };
const call = { name: 'look', arguments: {} };

type Render = (messages: readonly ChatMessage[]) => string;

/** Tries the forms that content and system prompts can have, and takes another than the usual only where it helps. */
export function findHabits(render: Render): TemplateHabits {
  try {
    const habits = tryHabits(render);
    return wantsResultsInside(render, habits) ? { ...habits, results: 'inside' } : habits;
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

/** It writes the turn of a tool like that of anybody else, and shows what the turn that called has of it. */
function wantsResultsInside(render: Render, habits: TemplateHabits): boolean {
  const call = { type: 'function', id: 'call_1', function: { name: 'look', arguments: {} } };
  const turns = (role: string) => [
    { role: 'user', content: USER },
    { role: 'assistant', content: '', tool_calls: [call] },
    { role, content: NEWS, tool_call_id: 'call_1' },
  ];
  const [own, other] = ['tool', STRANGER].map(role => attempt(render, adapt(turns(role), habits)));
  if (own === undefined || other?.replaceAll(STRANGER, 'tool') !== own) return false;
  return attempt(render, adapt(turns('tool'), { ...habits, results: 'inside' }))?.includes(NEWS) === true;
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
  { content, system, thoughts, results }: TemplateHabits,
): readonly ChatMessage[] {
  const called = results === 'inside' ? resultsInside(messages) : messages;
  const named = thoughts ? called.map(turn => withThinking(turn, thoughts)) : called;
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

import { useRef, useState } from 'preact/hooks';
import { ApiError, type Client, parseError } from '../../api/client.ts';
import { batch } from './batch.ts';
import {
  type Answer,
  addChunk,
  type Chunk,
  messagesOf,
  newAnswer,
  type ToolResult,
  type Turn,
} from './conversation.ts';
import { fieldsOf, type Settings } from './settings.ts';

export interface Conversation {
  readonly turns: readonly Turn[];
  readonly answering: boolean;
  ask(text: string, settings: Settings): void;
  giveResults(results: readonly ToolResult[], settings: Settings): void;
  /** The last answer again. */
  retry(settings: Settings): void;
  stop(): void;
  clear(): void;
}

/** Tokens come faster than anybody reads. */
const showEveryMs = 40;

export function useConversation(client: Client): Conversation {
  const [turns, setTurns] = useState<readonly Turn[]>([]);
  const running = useRef<AbortController>(undefined);
  const [answering, setAnswering] = useState(false);

  const answer = async (asked: readonly Turn[], settings: Settings) => {
    running.current?.abort();
    const stopped = new AbortController();
    running.current = stopped;
    /** An answer that nobody wants any more changes nothing. */
    const update = (change: (answer: Answer) => Answer) => {
      if (running.current === stopped) setTurns(turns => changeLast(turns, change));
    };
    setTurns([...asked, newAnswer(performance.now())]);
    setAnswering(true);
    const came = batch<readonly [Chunk, number]>(showEveryMs, chunks =>
      update(answer => chunks.reduce((answer, [chunk, at]) => addChunk(answer, chunk, at), answer)),
    );
    try {
      for await (const chunk of chunks(client, asked, settings, stopped.signal)) came.push([chunk, performance.now()]);
      came.flush();
    } catch (error) {
      came.flush();
      update(answer => ({ ...answer, ...(stopped.signal.aborted ? { finish: 'stopped' } : { error }) }));
    }
    update(answer => ({ ...answer, endedAt: performance.now() }));
    if (running.current === stopped) setAnswering(false);
  };

  return {
    turns,
    answering,
    ask: (text, settings) => void answer([...turns, { kind: 'question', text }], settings),
    giveResults: (results, settings) => void answer([...turns, ...results], settings),
    retry: settings => void answer(beforeLastAnswer(turns), settings),
    stop: () => running.current?.abort(),
    clear() {
      running.current?.abort();
      running.current = undefined;
      setAnswering(false);
      setTurns([]);
    },
  };
}

async function* chunks(client: Client, turns: readonly Turn[], settings: Settings, signal: AbortSignal) {
  const body = {
    messages: messagesOf(turns, settings.system),
    ...fieldsOf(settings),
    stream: true,
    stream_options: { include_usage: true },
  };
  for await (const data of client.events('/v1/chat/completions', body, signal)) {
    if (data === '[DONE]') return;
    const error = parseError(data);
    if (error) throw new ApiError(0, error.code ?? 'unknown', error.message ?? 'The answer failed.');
    yield JSON.parse(data);
  }
}

const beforeLastAnswer = (turns: readonly Turn[]): readonly Turn[] => {
  const last = turns.findLastIndex(({ kind }) => kind === 'answer');
  return turns.slice(0, last);
};

function changeLast(turns: readonly Turn[], change: (answer: Answer) => Answer): readonly Turn[] {
  const last = turns.at(-1);
  return last?.kind === 'answer' ? [...turns.slice(0, -1), change(last)] : turns;
}

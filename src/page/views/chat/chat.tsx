import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useClient } from '../../session.ts';
import { AnswerView } from './answer.tsx';
import { Composer } from './composer.tsx';
import type { Turn } from './conversation.ts';
import { defaultSettings } from './settings.ts';
import { SettingsForm } from './settings-form.tsx';
import { type Conversation, useConversation } from './use-conversation.ts';

export function Chat({ shown }: { readonly shown: boolean }) {
  const client = useClient();
  const chat = useConversation(client);
  const [settings, setSettings] = useState(defaultSettings);
  useEffect(() => {
    if (shown) document.title = 'Chat · Realm';
  }, [shown]);
  return (
    <div class="chat">
      <SettingsForm client={client} settings={settings} onSettings={setSettings} />
      <section class="talk" aria-label="Chat">
        <h1 class="unseen">Chat</h1>
        <Log
          chat={chat}
          onRetry={() => chat.retry(settings)}
          onResults={results => chat.giveResults(results, settings)}
        />
        <Composer
          answering={chat.answering}
          begun={chat.turns.length > 0}
          onAsk={text => chat.ask(text, settings)}
          onStop={chat.stop}
          onClear={chat.clear}
        />
      </section>
    </div>
  );
}

interface LogProps {
  readonly chat: Conversation;
  onRetry(): void;
  onResults: Parameters<typeof AnswerView>[0]['onResults'];
}

/** Goes down with the answer, unless the reader has gone up. */
function Log({ chat: { turns, answering }, onRetry, onResults }: LogProps) {
  const place = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  useLayoutEffect(() => {
    if (following.current) place.current?.scrollTo({ top: place.current.scrollHeight });
  });
  const scrolled = ({ currentTarget: { scrollTop, clientHeight, scrollHeight } }: { currentTarget: HTMLElement }) => {
    following.current = scrollTop + clientHeight > scrollHeight - 40;
  };
  return (
    <div
      class="log"
      role="log"
      aria-label="Conversation"
      aria-busy={answering}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
      tabIndex={0}
      ref={place}
      onScroll={scrolled}
    >
      {turns.length === 0 && <Welcome />}
      {turns.map((turn, i) => (
        <TurnView key={i} turn={turn} last={i === turns.length - 1 && !answering} {...{ onRetry, onResults }} />
      ))}
    </div>
  );
}

function Welcome() {
  return (
    <div class="welcome">
      <p>Ask the model something.</p>
      <p class="muted">What is said here is kept in this tab only, and is gone when it is loaded again.</p>
    </div>
  );
}

interface TurnProps extends Omit<LogProps, 'chat'> {
  readonly turn: Turn;
  readonly last: boolean;
}

function TurnView({ turn, last, onRetry, onResults }: TurnProps) {
  if (turn.kind === 'answer') return <AnswerView answer={turn} {...{ last, onRetry, onResults }} />;
  return (
    <article class={`turn ${turn.kind}`}>
      <h2 class="who">{turn.kind === 'question' ? 'You' : `Result of ${turn.name}`}</h2>
      <p class="text">{turn.text}</p>
    </article>
  );
}

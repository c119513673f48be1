import { useRef, useState } from 'preact/hooks';

interface Props {
  readonly answering: boolean;
  readonly begun: boolean;
  onAsk(text: string): void;
  onStop(): void;
  onClear(): void;
}

/** Enter sends, Shift+Enter begins a line; Escape stops an answer. */
export function Composer({ answering, begun, onAsk, onStop, onClear }: Props) {
  const [text, setText] = useState('');
  const field = useRef<HTMLTextAreaElement>(null);
  const ask = (event: Event) => {
    event.preventDefault();
    if (answering || text.trim() === '') return;
    onAsk(text);
    setText('');
    field.current?.focus();
  };
  const typed = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && answering) onStop();
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) ask(event);
  };
  return (
    <form class="composer" onSubmit={ask}>
      <label class="unseen" for="message">
        Message
      </label>
      <textarea
        id="message"
        ref={field}
        rows={2}
        placeholder="Message"
        aria-description="Enter sends, Shift and Enter begin a new line"
        value={text}
        onInput={({ currentTarget }) => setText(currentTarget.value)}
        onKeyDown={typed}
      />
      <div class="actions">
        <button type="button" disabled={!begun} onClick={onClear}>
          New chat
        </button>
        {answering ? (
          <button type="button" class="danger" onClick={onStop}>
            Stop
          </button>
        ) : (
          <button type="submit" class="primary">
            Send
          </button>
        )}
      </div>
      <p class="unseen" role="status">
        {answering ? 'The model answers' : begun ? 'The answer has ended' : ''}
      </p>
    </form>
  );
}

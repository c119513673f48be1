import { useState } from 'preact/hooks';
import { TextArea } from '../../ui/field.tsx';
import type { Call, ToolResult } from './conversation.ts';
import { prettyJson } from './rich-text.tsx';

interface Props {
  readonly calls: readonly Call[];
  /** Its results are wanted. */
  readonly open: boolean;
  onResults(results: readonly ToolResult[]): void;
}

/** What the model wants to be called; nothing here calls it, so the user says what came out. */
export function Calls({ calls, open, onResults }: Props) {
  const [results, setResults] = useState<readonly string[]>([]);
  const send = (event: Event) => {
    event.preventDefault();
    onResults(calls.map(({ id, name }, i) => ({ kind: 'result', callId: id, name, text: results[i] ?? '' })));
  };
  return (
    <form class="calls" onSubmit={send}>
      {calls.map((call, i) => (
        <div class="call" key={call.id}>
          <p>
            Calls <code>{call.name}</code>
          </p>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys */}
          <pre tabIndex={0}>
            <code>{prettyJson(call.arguments) ?? call.arguments}</code>
          </pre>
          {open && (
            <TextArea
              label={`Result of ${call.name}`}
              rows={2}
              value={results[i] ?? ''}
              onValue={text => setResults(results => Object.assign([...results], { [i]: text }))}
            />
          )}
        </div>
      ))}
      {open && (
        <div class="actions">
          <button type="submit" class="primary">
            Give the results
          </button>
        </div>
      )}
    </form>
  );
}

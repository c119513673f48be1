import { milliseconds, perSecond } from '../../format.ts';
import { Notice } from '../../ui/notice.tsx';
import { Calls } from './calls.tsx';
import { type Answer, speedOf, type TokenLogprob, type ToolResult } from './conversation.ts';
import { RichText } from './rich-text.tsx';
import { Tokens } from './tokens.tsx';

interface Props {
  readonly answer: Answer;
  /** Nothing came behind it and it has ended. */
  readonly last: boolean;
  onRetry(): void;
  onResults(results: readonly ToolResult[]): void;
}

export function AnswerView({ answer, last, onRetry, onResults }: Props) {
  const { content, reasoning, calls, contentTokens, reasoningTokens, error, endedAt } = answer;
  return (
    <article class="turn answer">
      <h2 class="who">Model</h2>
      {reasoning !== '' && (
        <details class="thoughts">
          <summary>Thoughts</summary>
          <Text text={reasoning} tokens={reasoningTokens} />
        </details>
      )}
      {content !== '' && <Text text={content} tokens={contentTokens} />}
      {calls.length > 0 && <Calls calls={calls} open={last} onResults={onResults} />}
      <Notice error={error} />
      <footer class="stats">
        <Stats of={answer} />
        {last && endedAt !== undefined && (
          <button type="button" class="quiet" onClick={onRetry}>
            Again
          </button>
        )}
      </footer>
    </article>
  );
}

function Text({ text, tokens }: { readonly text: string; readonly tokens: readonly TokenLogprob[] }) {
  return tokens.length > 0 ? <Tokens of={tokens} /> : <RichText text={text} />;
}

const ends: Readonly<Record<string, string>> = {
  length: 'cut at the most tokens',
  tool_calls: 'calls tools',
  stopped: 'stopped',
};

function Stats({ of: answer }: { readonly of: Answer }) {
  const { tokens, firstMs, perSecond: speed } = speedOf(answer, performance.now());
  const cached = answer.usage?.prompt_tokens_details?.cached_tokens;
  const parts = [
    tokens > 0 && `${tokens} tokens`,
    speed !== undefined && `${perSecond(speed)}`,
    firstMs !== undefined && `first after ${milliseconds(firstMs)}`,
    answer.usage && `prompt ${answer.usage.prompt_tokens}${cached ? `, ${cached} cached` : ''}`,
    ends[answer.finish ?? ''],
  ].filter(Boolean);
  if (parts.length === 0) return <span>{answer.endedAt === undefined ? 'Reading the prompt …' : ''}</span>;
  return <span>{parts.join(' · ')}</span>;
}

import { useRef, useState } from 'preact/hooks';
import type { TokenLogprob } from './conversation.ts';

/** An answer token by token. Pointing at one, or moving to it with the arrows, shows how likely it was and what else was. */
export function Tokens({ of: tokens }: { readonly of: readonly TokenLogprob[] }) {
  const [at, setAt] = useState<number>();
  const place = useRef<HTMLDivElement>(null);
  const chosen = at === undefined ? undefined : tokens[at];
  const pointed = ({ target }: Event) => {
    const index = target instanceof HTMLElement ? target.dataset.index : undefined;
    if (index !== undefined) setAt(Number(index));
  };
  const move = (event: KeyboardEvent) => {
    const next = moved(event.key, at, tokens.length);
    if (next === at) return;
    event.preventDefault();
    setAt(next);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div
      class="tokens"
      role="group"
      aria-label="Tokens; the arrow keys go through them"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys need a place
      tabIndex={0}
      ref={place}
      onPointerOver={pointed}
      onPointerLeave={() => setAt(undefined)}
      onClick={pointed}
      onKeyDown={move}
      onBlur={() => setAt(undefined)}
    >
      <div class="text">
        {tokens.map(({ token, logprob }, i) => (
          <span key={i} data-index={i} class={`token ${likelihood(logprob)}${i === at ? ' chosen' : ''}`}>
            {token}
          </span>
        ))}
      </div>
      <div class="alternatives" role="status">
        {chosen && <Alternatives of={chosen} />}
      </div>
    </div>
  );
}

function moved(key: string, at: number | undefined, length: number): number | undefined {
  if (key === 'ArrowRight' || key === 'ArrowDown') return at === undefined ? 0 : Math.min(at + 1, length - 1);
  if (key === 'ArrowLeft' || key === 'ArrowUp') return at === undefined ? length - 1 : Math.max(at - 1, 0);
  return key === 'Escape' ? undefined : at;
}

const likelihood = (logprob: number): string =>
  logprob > Math.log(0.9)
    ? 'sure'
    : logprob > Math.log(0.5)
      ? 'likely'
      : logprob > Math.log(0.1)
        ? 'unsure'
        : 'unlikely';

function Alternatives({ of: { token, logprob, top_logprobs: others } }: { readonly of: TokenLogprob }) {
  return (
    <dl>
      <dt class="chosen">{visible(token)}</dt>
      <dd>
        {chance(logprob)} ({logprob.toFixed(3)})
      </dd>
      {others
        .filter(other => other.token !== token)
        .map(other => (
          <>
            <dt>{visible(other.token)}</dt>
            <dd>{chance(other.logprob)}</dd>
          </>
        ))}
    </dl>
  );
}

const chance = (logprob: number): string => `${(100 * Math.exp(logprob)).toFixed(1)} %`;
/** Spaces and line ends can be seen. */
const visible = (token: string): string => JSON.stringify(token).slice(1, -1).replaceAll(' ', '␣') || '∅';

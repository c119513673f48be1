import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { Notice } from './notice.tsx';

interface Props {
  readonly title: string;
  /** Beside the title. */
  readonly actions?: ComponentChildren;
  readonly error?: unknown;
  readonly children: ComponentChildren;
}

/** A view of the operator's: its title, what can be done, what went wrong, and what there is. */
export function View({ title, actions, error, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Realm`;
  }, [title]);
  return (
    <div class="view">
      <header class="view-head">
        <h1>{title}</h1>
        {actions && <div class="actions">{actions}</div>}
      </header>
      <Notice error={error} />
      {children}
    </div>
  );
}

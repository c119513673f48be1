import type { ComponentChildren } from 'preact';
import { useAction } from '../use-action.ts';
import { Dialog } from './dialog.tsx';
import { Notice } from './notice.tsx';

interface Props {
  readonly title: string;
  readonly children: ComponentChildren;
  readonly confirm: string;
  act(): Promise<unknown>;
  onClose(): void;
}

/** Asks before what cannot be undone. */
export function Confirm({ title, children, confirm, act, onClose }: Props) {
  const { busy, error, run } = useAction();
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <Notice error={error} />
      <div class="actions">
        <button type="button" onClick={onClose}>
          Keep
        </button>
        <button
          type="button"
          class="danger"
          disabled={busy}
          onClick={async () => {
            if (await run(act)) onClose();
          }}
        >
          {confirm}
        </button>
      </div>
    </Dialog>
  );
}

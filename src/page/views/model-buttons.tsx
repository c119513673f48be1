import type { AdminApi } from '../api/admin.ts';
import type { Model } from '../api/types.ts';

interface Props {
  readonly model: Model;
  readonly admin: AdminApi;
  act(work: () => Promise<unknown>): void;
  /** What wants to be confirmed. */
  ask(kind: 'unload' | 'remove'): void;
}

export function ModelButtons({ model: { id, state, pinned, source, local_page: local }, admin, act, ask }: Props) {
  const there = state === 'ready' || state === 'loading';
  return (
    <div class="actions">
      {there ? (
        <button type="button" aria-label={`Unload ${id}`} onClick={() => ask('unload')}>
          Unload
        </button>
      ) : (
        <button type="button" aria-label={`Load ${id}`} onClick={() => act(() => admin.loadModel(id))}>
          Load
        </button>
      )}
      <button
        type="button"
        aria-pressed={pinned === true}
        aria-label={`Pin ${id}`}
        onClick={() => act(() => admin.changeModel(id, { pinned: !pinned }))}
      >
        {pinned ? 'Pinned' : 'Pin'}
      </button>
      {source === 'store' && (
        <button type="button" class="danger" aria-label={`Remove ${id}`} onClick={() => ask('remove')}>
          Remove
        </button>
      )}
      {local && (
        // In a tab of its own: the chat here would be lost.
        <a href={local} target="_blank" rel="noopener" aria-label={`Run in this browser: ${id}`}>
          Run in this browser
        </a>
      )}
    </div>
  );
}

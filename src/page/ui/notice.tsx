import { ApiError } from '../api/client.ts';
import { useSession } from '../session.ts';

/** What went wrong, and what to do; nothing where nothing did. */
export function Notice({ error }: { readonly error: unknown }) {
  const { askForKeys } = useSession();
  if (error === undefined) return null;
  if (error instanceof ApiError && error.routeMissing)
    return <p class="notice">Not on this server: it has no such part, or is of an older version.</p>;
  if (error instanceof ApiError && error.needsKey)
    return (
      <p class="notice" role="alert">
        {error.message}{' '}
        <button type="button" class="link" onClick={askForKeys}>
          Enter a key
        </button>
      </p>
    );
  return (
    <p class="notice danger" role="alert">
      {error instanceof Error ? error.message : String(error)}
      {error instanceof ApiError && <code class="code">{error.code}</code>}
    </p>
  );
}

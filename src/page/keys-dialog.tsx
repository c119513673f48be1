import { useState } from 'preact/hooks';
import { useSession } from './session.ts';
import { Dialog } from './ui/dialog.tsx';
import { Field } from './ui/field.tsx';

/** Two keys, each for its own half of the page. Browsers are asked not to keep them. */
export function KeysDialog({ onClose }: { onClose(): void }) {
  const { keys, setKeys } = useSession();
  const [typed, setTyped] = useState(keys);
  const use = (event: Event) => {
    event.preventDefault();
    setKeys({ tenant: typed.tenant.trim(), admin: typed.admin.trim() });
    onClose();
  };
  return (
    <Dialog title="Keys" onClose={onClose}>
      <form onSubmit={use}>
        <p class="hint">
          They stay in this tab's memory until it is closed or loaded again, and go to this server only. A server
          without a configuration needs none.
        </p>
        <Field
          label="Tenant's key, for the chat"
          type="password"
          autocomplete="off"
          value={typed.tenant}
          onValue={tenant => setTyped({ ...typed, tenant })}
        />
        <Field
          label="Administrator's key, for everything else"
          type="password"
          autocomplete="off"
          value={typed.admin}
          onValue={admin => setTyped({ ...typed, admin })}
        />
        <div class="actions">
          <button type="button" onClick={() => setTyped({ tenant: '', admin: '' })}>
            Clear
          </button>
          <button type="submit" class="primary">
            Use
          </button>
        </div>
      </form>
    </Dialog>
  );
}

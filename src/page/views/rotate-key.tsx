import { useState } from 'preact/hooks';
import type { AdminApi } from '../api/admin.ts';
import type { CreatedKey, Key } from '../api/types.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Select } from '../ui/field.tsx';
import { Notice } from '../ui/notice.tsx';
import { useAction } from '../use-action.ts';

interface Props {
  readonly admin: AdminApi;
  readonly tenant: string;
  readonly of: Key;
  onRotated(key: CreatedKey): void;
  onClose(): void;
}

const overlaps = [
  ['0', 'stops at once'],
  ['3600', 'works for an hour'],
  ['86400', 'works for a day'],
  ['604800', 'works for a week'],
] as const;

export function RotateDialog({ admin, tenant, of: key, onRotated, onClose }: Props) {
  const [overlap, setOverlap] = useState('86400');
  const { busy, error, run } = useAction();
  const rotate = async (event: Event) => {
    event.preventDefault();
    await run(async () => onRotated(await admin.rotateKey(tenant, key.id, Number(overlap))));
  };
  return (
    <Dialog title={`Rotate ${key.name || key.id}`} onClose={onClose}>
      <form onSubmit={rotate}>
        <p>A new key with the same rights takes its place.</p>
        <Select label="The old one" value={overlap} onValue={setOverlap} options={overlaps} />
        <Notice error={error} />
        <div class="actions">
          <button type="submit" class="primary" disabled={busy}>
            Rotate
          </button>
        </div>
      </form>
    </Dialog>
  );
}

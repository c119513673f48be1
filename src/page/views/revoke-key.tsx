import { useState } from 'preact/hooks';
import type { AdminApi } from '../api/admin.ts';
import type { Key } from '../api/types.ts';
import { Confirm } from '../ui/confirm.tsx';
import { Check } from '../ui/field.tsx';

interface Props {
  readonly admin: AdminApi;
  readonly tenant: string;
  readonly of: Key;
  onRevoked(): void;
  onClose(): void;
}

export function RevokeDialog({ admin, tenant, of: key, onRevoked, onClose }: Props) {
  const [cancel, setCancel] = useState(false);
  return (
    <Confirm
      title={`Revoke ${key.name || key.id}?`}
      confirm="Revoke"
      act={() => admin.revokeKey(tenant, key.id, cancel).finally(onRevoked)}
      onClose={onClose}
    >
      <p>It is refused from now on, and cannot be given back.</p>
      <Check label="End its requests that are being answered too" checked={cancel} onChecked={setCancel} />
    </Confirm>
  );
}

import { useCallback, useState } from 'preact/hooks';
import type { Tenant } from '../api/types.ts';
import { count } from '../format.ts';
import { linkTo } from '../route.ts';
import { useAdmin } from '../session.ts';
import { Badge } from '../ui/badge.tsx';
import { Budgets } from '../ui/budgets.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { Notice } from '../ui/notice.tsx';
import { View } from '../ui/view.tsx';
import { useAction } from '../use-action.ts';
import { useLoad } from '../use-load.ts';
import { KeyList } from './keys.tsx';
import { TenantDialog } from './tenant-dialog.tsx';
import { changeOf, formOf } from './tenant-form.ts';
import { ratesText } from './tenants.tsx';

/** One tenant and its keys. */
export function TenantView({ id }: { readonly id: string }) {
  const admin = useAdmin();
  const load = useCallback((signal: AbortSignal) => admin.tenant(id, signal), [admin, id]);
  const { data: tenant, error, reload } = useLoad(load);
  const [open, setOpen] = useState<'change' | 'delete'>();
  const close = () => setOpen(undefined);
  const { busy, error: failed, run } = useAction();
  const toggle = () => run(() => admin.changeTenant(id, { disabled: !tenant?.disabled }).then(reload));
  return (
    <View
      title={id}
      error={error}
      actions={
        tenant?.source === 'store' && (
          <>
            <button type="button" disabled={busy} onClick={toggle}>
              {tenant.disabled ? 'Enable' : 'Disable'}
            </button>
            <button type="button" onClick={() => setOpen('change')}>
              Change
            </button>
            <button type="button" class="danger" onClick={() => setOpen('delete')}>
              Delete
            </button>
          </>
        )
      }
    >
      <p>
        <a href={linkTo('tenants')}>All tenants</a>
      </p>
      <Notice error={failed} />
      {tenant && <Facts of={tenant} />}
      {tenant && <KeyList tenant={id} />}
      {open === 'change' && tenant && (
        <TenantDialog
          title={`Change ${id}`}
          initial={formOf(tenant)}
          save={form => admin.changeTenant(id, changeOf(form, tenant)).then(reload)}
          onClose={close}
        />
      )}
      {open === 'delete' && (
        <Confirm
          title={`Delete ${id}?`}
          confirm="Delete"
          act={() =>
            admin.deleteTenant(id).then(() => {
              location.hash = linkTo('tenants');
            })
          }
          onClose={close}
        >
          <p>Its keys stop working. What it used stays in the ledger.</p>
        </Confirm>
      )}
    </View>
  );
}

function Facts({ of: { disabled, source, weight, budgets, rate } }: { readonly of: Tenant }) {
  return (
    <dl class="facts">
      <dt>State</dt>
      <dd>
        <Badge tone={disabled ? 'bad' : 'good'}>{disabled ? 'disabled' : 'active'}</Badge>
      </dd>
      <dt>From</dt>
      <dd>{source === 'file' ? 'realm.yaml, which is where it is changed' : 'the store'}</dd>
      <dt>Weight</dt>
      <dd>{count(weight ?? 1)}</dd>
      <dt>Budgets</dt>
      <dd>
        <Budgets of={budgets} />
      </dd>
      <dt>Rates</dt>
      <dd>{ratesText(rate)}</dd>
    </dl>
  );
}

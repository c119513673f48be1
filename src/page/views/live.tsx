import type { Live as LiveState, LiveTenant } from '../api/types.ts';
import { compact, count, milliseconds, percent, perSecond } from '../format.ts';
import { linkTo } from '../route.ts';
import { useAdmin } from '../session.ts';
import { Budgets } from '../ui/budgets.tsx';
import { Chart } from '../ui/chart.tsx';
import { Meter } from '../ui/meter.tsx';
import { type Column, Table } from '../ui/table.tsx';
import { View } from '../ui/view.tsx';
import { useLoad } from '../use-load.ts';
import { useHistory } from './live-history.ts';

const everyMs = 2000;

/** Who has how much of the engine now, and in the last minutes. */
export function Live() {
  const admin = useAdmin();
  const { data, error } = useLoad(admin.live, everyMs);
  const history = useHistory(data);
  return (
    <View title="Live" error={error}>
      {data && (
        <>
          <Totals of={data} />
          <div class="charts">
            <Chart title="Tokens a second" times={history.times} series={history.speed} />
            <Chart title="Requests" times={history.times} series={history.requests} />
          </div>
          <h2>Tenants</h2>
          <Table name="Tenants now" columns={columns} rows={data.tenants} empty={noTenants} keyOf={({ id }) => id} />
        </>
      )}
    </View>
  );
}

const noTenants = 'No tenant has asked for anything yet.';

function Totals({ of: { tenants } }: { readonly of: LiveState }) {
  const sum = (value: (tenant: LiveTenant) => number) => tenants.reduce((total, each) => total + value(each), 0);
  return (
    <dl class="totals">
      <div>
        <dt>Running</dt>
        <dd>{count(sum(({ running }) => running))}</dd>
      </div>
      <div>
        <dt>Waiting</dt>
        <dd>{count(sum(({ waiting }) => waiting))}</dd>
      </div>
      <div>
        <dt>Tokens a second</dt>
        <dd>{compact(sum(({ tokens_per_second }) => tokens_per_second ?? 0))}</dd>
      </div>
    </dl>
  );
}

const columns: readonly Column<LiveTenant>[] = [
  { title: 'Tenant', cell: ({ id }) => <a href={linkTo('tenants', id)}>{id}</a> },
  { title: 'Running', number: true, cell: ({ running }) => count(running) },
  { title: 'Waiting', number: true, cell: ({ waiting }) => count(waiting) },
  {
    title: 'Share',
    cell: ({ id, share }) => <Meter name={`Share of ${id}`} share={share ?? 0} text={percent(share)} />,
  },
  { title: 'Tokens', number: true, cell: tenant => perSecond(tenant.tokens_per_second) },
  { title: 'First token, half within', number: true, cell: tenant => milliseconds(tenant.first_token_ms?.p50) },
  { title: '95 % within', number: true, cell: tenant => milliseconds(tenant.first_token_ms?.p95) },
  { title: 'From the cache', number: true, cell: tenant => percent(tenant.cached_share) },
  { title: 'Budgets', cell: ({ budgets }) => <Budgets of={budgets} /> },
];

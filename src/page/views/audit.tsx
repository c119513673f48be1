import { useCallback, useState } from 'preact/hooks';
import type { AuditEntry } from '../api/types.ts';
import { time } from '../format.ts';
import { useAdmin } from '../session.ts';
import { type Column, Table } from '../ui/table.tsx';
import { View } from '../ui/view.tsx';
import { useLoad } from '../use-load.ts';

const pageSize = 50;

/** What operators did, in the order of the chain. */
export function Audit() {
  const admin = useAdmin();
  /** Behind which entries the pages begin; the last is shown. */
  const [starts, setStarts] = useState<readonly number[]>([0]);
  const after = starts.at(-1) ?? 0;
  const load = useCallback(
    (signal: AbortSignal) => admin.audit({ limit: pageSize, ...(after > 0 && { after }) }, signal),
    [admin, after],
  );
  const { data, error } = useLoad(load);
  const last = data?.at(-1)?.seq;
  const more = data !== undefined && data.length >= pageSize && last !== undefined;
  return (
    <View title="Audit" error={error}>
      <Table name="Audit" columns={columns} rows={data} empty="Nothing was changed yet." keyOf={({ seq }) => seq} />
      <div class="actions">
        <button type="button" disabled={starts.length === 1} onClick={() => setStarts(starts.slice(0, -1))}>
          Back
        </button>
        <button type="button" disabled={!more} onClick={() => more && setStarts([...starts, last])}>
          More
        </button>
      </div>
    </View>
  );
}

const columns: readonly Column<AuditEntry>[] = [
  { title: 'No.', cell: ({ seq }) => seq },
  { title: 'At (UTC)', cell: ({ at }) => time(at) },
  { title: 'Who', cell: ({ actor }) => actor ?? '–' },
  { title: 'What', cell: ({ action }) => action },
  { title: 'To', cell: ({ target }) => target ?? '–' },
  { title: 'Detail', cell: ({ detail }) => <Detail of={detail} /> },
  { title: 'Hash', cell: ({ hash }) => <code title={hash}>{hash?.slice(0, 8) ?? '–'}</code> },
];

function Detail({ of: detail }: { readonly of: unknown }) {
  if (detail === undefined || detail === null) return <>–</>;
  return <code class="long">{typeof detail === 'string' ? detail : JSON.stringify(detail)}</code>;
}

import { useCallback, useState } from 'preact/hooks';
import type { UsageQuery } from '../api/admin.ts';
import type { UsageRow } from '../api/types.ts';
import { time } from '../format.ts';
import { useAdmin } from '../session.ts';
import { Notice } from '../ui/notice.tsx';
import { type Column, Table } from '../ui/table.tsx';
import { View } from '../ui/view.tsx';
import { useAction } from '../use-action.ts';
import { useLoad } from '../use-load.ts';
import { UsageFilter } from './usage-filter.tsx';

/** Single calls come by pages; sums come whole. */
const pageSize = 100;
const mostInCsv = 10_000;

/** The ledger: sums, or one row for each call of an engine. */
export function Usage() {
  const admin = useAdmin();
  const [query, setQuery] = useState<UsageQuery>({ group_by: 'tenant,model' });
  const load = useCallback((signal: AbortSignal) => admin.usage({ ...query, limit: pageSize }, signal), [admin, query]);
  const { data, error } = useLoad(load);
  const download = useAction();
  const saveAll = async () => save('usage.csv', await admin.usageCsv({ ...query, after: undefined, limit: mostInCsv }));
  return (
    <View
      title="Usage"
      error={error}
      actions={
        <button type="button" disabled={download.busy} onClick={() => download.run(saveAll)}>
          Download CSV
        </button>
      }
    >
      <UsageFilter onQuery={setQuery} />
      <Notice error={download.error} />
      <Table
        name="Usage"
        columns={columnsOf(data?.rows ?? [])}
        rows={data?.rows}
        empty="Nothing was used in this time."
        keyOf={row => Object.values(row).join(' ')}
      />
      {data?.next !== undefined && (
        <div class="actions">
          <button type="button" onClick={() => setQuery({ ...query, after: data.next })}>
            Older calls
          </button>
        </div>
      )}
    </View>
  );
}

/** Whatever columns the rows have. */
function columnsOf(rows: readonly UsageRow[]): Column<UsageRow>[] {
  const names = [...new Set(rows.flatMap(row => Object.keys(row)))];
  return names.map(name => ({
    title: titleOf(name),
    number: rows.some(row => typeof row[name] === 'number'),
    cell: row => cellOf(name, row[name]),
  }));
}

const titleOf = (name: string): string => {
  if (name === 'at') return 'At (UTC)';
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
};

function cellOf(name: string, value: string | number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (name === 'at') return time(String(value));
  return typeof value === 'number' ? value.toLocaleString('en', { maximumFractionDigits: 6 }) : value;
}

function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}

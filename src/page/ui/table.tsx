import type { ComponentChildren } from 'preact';

export interface Column<T> {
  readonly title: string;
  /** Numbers stand on the right. */
  readonly number?: boolean;
  cell(row: T): ComponentChildren;
}

interface Props<T> {
  /** What the table is of; read aloud, not shown. */
  readonly name: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[] | undefined;
  readonly empty: string;
  keyOf(row: T): string | number;
}

/** Rows as they are; the first column names its row. A narrow screen scrolls it sideways, keys do too. */
export function Table<T>({ name, columns, rows, empty, keyOf }: Props<T>) {
  if (rows === undefined) return null;
  if (rows.length === 0) return <p class="empty">{empty}</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
    <section class="table" aria-label={name} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map(({ title, number }) => (
              <th key={title} scope="col" class={number ? 'number' : undefined}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <tr key={keyOf(row)}>
              {columns.map(({ title, number, cell }, i) =>
                i === 0 ? (
                  <th key={title} scope="row">
                    {cell(row)}
                  </th>
                ) : (
                  <td key={title} class={number ? 'number' : undefined}>
                    {cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

import { z } from 'zod';
import { type Group, groups } from './reports.ts';

const time = z
  .string()
  .refine(text => /^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(Date.parse(text)), {
    error: 'must be a date (2026-11-26) or a time (2026-11-26T12:00:00Z)',
  })
  .transform(text => Date.parse(text))
  .optional();

const groupBy = z
  .string()
  .transform(text => text.split(','))
  .refine((list): list is Group[] => list.every(each => (groups as readonly string[]).includes(each)), {
    error: `must be of ${groups.join(', ')}, with commas between`,
  })
  .optional();

/** Which usage is wanted: the parameters of `GET /admin/v1/usage`, and the options of `realm usage`. */
export const usageQuerySchema = z.strictObject({
  tenant: z.string().optional(),
  key: z.string().optional(),
  model: z.string().optional(),
  from: time,
  to: time,
  group_by: groupBy,
  detail: z.enum(['true', 'false']).default('false'),
  format: z.enum(['json', 'csv']).default('json'),
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
  after: z.string().optional(),
});

/** RFC 4180. */
export function toCsv(rows: readonly object[]): string {
  const names = Object.keys(rows[0] ?? {});
  const lines = rows.map(row => names.map(name => cell((row as Record<string, unknown>)[name])).join(','));
  return [names.join(','), ...lines].map(line => `${line}\r\n`).join('');
}

function cell(value: unknown): string {
  const text = String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

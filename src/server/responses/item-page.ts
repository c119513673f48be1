import { z } from 'zod';

/** The query of `GET /v1/responses/{id}/input_items`. */
export const itemPageSchema = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  order: z.enum(['asc', 'desc']).default('desc'),
  after: z.string().optional(),
});

export type ItemPage = z.output<typeof itemPageSchema>;

/** Some of the items, in OpenAI's shape of a list. */
export function itemPage(items: readonly { readonly id: string }[], { limit, order, after }: ItemPage): object {
  const ordered = order === 'desc' ? items.toReversed() : items;
  const start = after === undefined ? 0 : ordered.findIndex(({ id }) => id === after) + 1;
  const data = ordered.slice(start, start + limit);
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: start + data.length < ordered.length,
  };
}

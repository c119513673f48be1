import type { ResponsesRequest } from './request.ts';

/** A request whose state is still to be fetched. Whatever may be long is JSON. */
export interface ResponsesCall {
  readonly request: string;
  readonly previous?: string | undefined;
  /** Ids of stored items that stand in the input. */
  readonly references: readonly string[];
}

export function toCall(request: Pick<ResponsesRequest, 'input' | 'previous_response_id'>): ResponsesCall {
  const references = request.input.flatMap(item => (item.type === 'item_reference' ? [item.id] : []));
  return { request: JSON.stringify(request), previous: request.previous_response_id, references };
}

import type { CompactRequest, ResponsesRequest } from './request.ts';

const wish =
  'Summarise this conversation for somebody who goes on with it: the task, what was done and decided, facts, what is open. Write the summary alone.';

/** Tokens of a summary; a longer one would not be one. */
const longestSummary = 1024;

/** The request for the summary. */
export function toSummary({ input, ...request }: CompactRequest): ResponsesRequest {
  const content = [{ type: 'input_text', text: wish }];
  return {
    ...request,
    input: [...input, { type: 'message', status: 'completed', role: 'user', content }],
    max_output_tokens: longestSummary,
    store: false,
  } as ResponsesRequest;
}

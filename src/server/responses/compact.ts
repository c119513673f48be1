import { answer } from '../answer.ts';
import type { AppContext } from '../route.ts';
import { piecesOf } from './answer-pieces.ts';
import type { ResponsesCall } from './call.ts';
import { usageBody } from './response.ts';
import { seal } from './sealed.ts';
import { beginTurn } from './turn.ts';

/** Answers with the conversation in short: one item, which stands for all of it. */
export async function compact(context: AppContext, call: ResponsesCall): Promise<Response> {
  const { services, exchange } = context.var;
  const { id, job } = await beginTurn(context, call);
  let summary = '';
  for await (const event of answer(services, exchange, job)) {
    if (event.kind === 'text') for (const piece of piecesOf(event)) if (piece.kind === 'content') summary += piece.text;
  }
  return context.json({
    id,
    object: 'response.compaction',
    created_at: exchange.created,
    output: [{ type: 'compaction', id: id.replace('resp', 'cmp'), encrypted_content: seal(summary.trim()) }],
    usage: usageBody(exchange.usage()),
  });
}

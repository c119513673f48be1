import { answer } from '../answer.ts';
import type { AppContext } from '../route.ts';
import { wholeChoices } from '../whole-choice.ts';
import type { ResponsesCall } from './call.ts';
import { usageBody } from './response.ts';
import { seal } from './sealed.ts';
import { beginTurn } from './turn.ts';

/** Answers with the conversation in short: one item, which stands for all of it. */
export async function compact(context: AppContext, call: ResponsesCall): Promise<Response> {
  const { services, exchange } = context.var;
  const { id, job } = await beginTurn(context, call);
  const [choice] = await wholeChoices(answer(services, exchange, job), 1);
  return context.json({
    id,
    object: 'response.compaction',
    created_at: exchange.created,
    output: [{ type: 'compaction', id: id.replace('resp', 'cmp'), encrypted_content: seal(choice!.content.trim()) }],
    usage: usageBody(exchange.usage()),
  });
}

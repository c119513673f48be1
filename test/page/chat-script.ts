/** Chat Completions that answers by a word in the last message: thoughts, calls, log-probabilities, endless, failing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';

export interface ChatState {
  /** The bodies that came. */
  // biome-ignore lint/suspicious/noExplicitAny: the assertions check the shape
  readonly asked: any[];
  /** Answers whose reader has gone. */
  left: number;
}

type Delta = Record<string, unknown>;

export function chatRoutes(state: ChatState): Hono {
  const app = new Hono();
  app.get('/v1/models', context => context.json({ object: 'list', data: [{ id: 'small' }, { id: 'large' }] }));
  app.post('/v1/chat/completions', async context => {
    const body = await context.req.json();
    state.asked.push(body);
    const last: string = body.messages.at(-1).content;
    if (last === 'refuse') {
      const error = { message: 'max_tokens: must be positive', code: 'invalid_request', param: 'max_tokens' };
      return context.json({ error }, 400);
    }
    return streamSSE(context, async stream => {
      const write = (chunk: object | '[DONE]') =>
        stream.writeSSE({ data: typeof chunk === 'string' ? chunk : JSON.stringify(chunk) });
      stream.onAbort(() => {
        state.left++;
      });
      let pieces = 0;
      for await (const delta of answerTo(last, body)) {
        if (stream.aborted) return;
        pieces++;
        await write({ choices: [{ index: 0, delta, logprobs: body.logprobs ? logprobsOf(delta) : null }] });
      }
      if (last === 'fail') {
        await write({ error: { message: 'The engine has died', code: 'engine_failed' } });
        return;
      }
      const finish_reason = body.tools && !isResult(body) ? 'tool_calls' : 'stop';
      await write({ choices: [{ index: 0, delta: {}, finish_reason }] });
      const usage = { prompt_tokens: 9, completion_tokens: pieces, prompt_tokens_details: { cached_tokens: 4 } };
      await write({ choices: [], usage });
      await write('[DONE]');
    });
  });
  return app;
}

const isResult = (body: { messages: { role: string }[] }): boolean => body.messages.at(-1)?.role === 'tool';

// biome-ignore lint/suspicious/noExplicitAny: whatever was asked
async function* answerTo(last: string, body: any): AsyncGenerator<Delta> {
  yield { role: 'assistant', content: '' };
  if (body.tools && !isResult(body)) {
    yield call({ id: 'call_1', name: 'weather', arguments: '' });
    yield call({ arguments: '{"city":' });
    yield call({ arguments: '"Paris"}' });
    return;
  }
  if (last === 'think') yield { reasoning_content: 'Let me think.' };
  const words = body.response_format ? ['{"city":', '"Paris"}'] : ['It ', 'is ', 'Paris.'];
  for (const content of last === 'endless' ? endless() : words) {
    await sleep(5);
    yield { content };
  }
}

function* endless() {
  for (;;) yield 'again ';
}

const call = ({ id, ...rest }: { id?: string; name?: string; arguments: string }): Delta => ({
  tool_calls: [{ index: 0, ...(id && { id, type: 'function' }), function: rest }],
});

function logprobsOf({ content }: Delta): object | null {
  if (typeof content !== 'string' || content === '') return null;
  const others = [
    { token: content, logprob: -0.2 },
    { token: 'other', logprob: -2 },
  ];
  return { content: [{ token: content, logprob: -0.2, bytes: null, top_logprobs: others }] };
}

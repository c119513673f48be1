/** What has ended is garbage: nothing of a request is held when its answer is over, however it ended. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Sandbox } from '../../src/sandbox/types.ts';
import type { Exchange } from '../../src/server/exchange.ts';
import { listen } from '../../src/server/node.ts';
import { passThrough, program, type Script, scripted } from './scripted.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Open exchanges, and which of those that were are still in memory. */
class Remembering extends Set<Exchange> {
  readonly #all: WeakRef<Exchange>[] = [];

  override add(exchange: Exchange): this {
    this.#all.push(new WeakRef(exchange));
    return super.add(exchange);
  }

  get seen(): number {
    return this.#all.length;
  }

  get alive(): number {
    return this.#all.filter(each => each.deref()).length;
  }
}

const messages = [{ role: 'user', content: 'Hi' }];
/** Remembers no calls. */
const sandbox: Sandbox = {
  load: async () => program,
  run: call => passThrough(call) as ReturnType<Sandbox['run']>,
  stats: () => ({ processes: 0, runs: 0, waiting: 0, submissions: 0, residentBytes: 0, cpuMs: 0 }),
  close: async () => {},
};
const quick: Script = { answer: () => 'yes' };

async function serve(t: TestContext, script: Script) {
  const open = new Remembering();
  const { app } = scripted(script, { sandbox, state: { phase: 'ready', open } });
  const listener = await listen(app, '127.0.0.1', 0);
  t.after(() => listener.destroy());
  const send = (body: object | string, init: RequestInit = {}) => {
    const text = typeof body === 'string' ? body : JSON.stringify({ messages, ...body });
    return fetch(`http://127.0.0.1:${listener.port}/v1/chat/completions`, { method: 'POST', body: text, ...init });
  };
  return { send, open };
}

/** A body of no declared length. */
const pieces = (text: string) => ({ body: new Blob([text]).stream(), duplex: 'half' }) as RequestInit;

const requests: Record<
  string,
  [Script, (send: (body: object | string, init?: RequestInit) => Promise<Response>) => Promise<unknown>]
> = {
  answered: [quick, async send => (await send({})).text()],
  streamed: [quick, async send => (await send({ stream: true })).text()],
  refused: [quick, async send => (await send({ temperature: 9 })).text()],
  'no JSON': [quick, async send => (await send('{')).text()],
  'too large': [quick, async send => (await send('x'.repeat(20_000))).text()],
  'sent in pieces': [quick, async send => (await send('', pieces(JSON.stringify({ messages })))).text()],
  'sent in pieces and refused': [quick, async send => (await send('', pieces('{'))).text()],
  failed: [
    { ...quick, failAfter: { tokens: 1, error: new Error('broken') } },
    async send => (await send('', pieces(JSON.stringify({ messages, n: 2 })))).text(),
  ],
  left: [
    { answer: () => 'x'.repeat(100), pause: () => sleep(5) },
    async send => {
      const response = await send({ stream: true }, { signal: AbortSignal.timeout(30) });
      await response.text().catch(() => {});
    },
  ],
};

for (const [name, [script, ask]] of Object.entries(requests)) {
  test(`a request that was ${name} is not held`, async t => {
    const { send, open } = await serve(t, script);
    const count = 20;
    for (let i = 0; i < count; i++) await ask(send).catch(() => {});
    for (let tries = 0; tries < 20 && open.alive > 2; tries++) {
      await sleep(50);
      collect();
    }
    assert.equal(open.seen, count);
    // The last one may still be on a stack or in a socket.
    assert.ok(open.alive <= 2, `${open.alive} of ${count} are in memory`);
  });
}

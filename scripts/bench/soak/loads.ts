/** Loads under which a server's memory must not grow: what is refused, what is left, what is answered. */
import { Agent, request } from 'node:http';

/** Where requests go, and with which key. */
export interface Target {
  readonly url: string;
  readonly keys: readonly string[];
}

/** Sends request number `i` of a load and waits for its end. */
export type Load = (target: Target, i: number) => Promise<void>;

interface Sent {
  readonly path?: string;
  readonly method?: string;
  readonly key?: string | undefined;
  readonly body?: string | undefined;
  /** Leave that long after it was sent. */
  readonly abortMs?: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

const words = 'harbour stone winter river market engine paper forest silver candle'.split(' ');
const text = (i: number, length: number) =>
  Array.from({ length }, (_, n) => words[(i * 7 + n * ((i % 89) + 3)) % words.length]).join(' ');

/** The status, or 0 when it was left. */
function send({ url }: Target, { path = '/v1/chat/completions', method = 'POST', key, body, abortMs }: Sent) {
  return new Promise<number>((resolve, reject) => {
    let left = false;
    const headers = { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) };
    const outgoing = request(url + path, { method, headers, agent }, response => {
      response.resume();
      response.on('end', () => resolve(response.statusCode!));
      response.on('error', error => (left ? resolve(0) : reject(error)));
    });
    // A server may answer and close before it has read a body that is too large.
    outgoing.on('error', error =>
      left || (error as NodeJS.ErrnoException).code !== undefined ? resolve(0) : reject(error),
    );
    outgoing.end(body);
    if (abortMs === undefined) return;
    setTimeout(() => {
      left = true;
      outgoing.destroy();
    }, abortMs);
  });
}

const keyOf = ({ keys }: Target, i: number) => keys[i % keys.length];
const chat = (i: number, more: object = {}) =>
  JSON.stringify({ model: 'm', messages: [{ role: 'user', content: text(i, 8) }], max_tokens: 4, ...more });

/** What a client can get wrong, a kind each. */
const mistakes: ((target: Target, i: number) => Sent)[] = [
  (target, i) => ({ key: keyOf(target, i), body: `{"model": "m", "messages": [${i}` }),
  (target, i) => ({ key: keyOf(target, i), body: JSON.stringify({ text: text(i, 100) }) }),
  (target, i) => ({ key: keyOf(target, i), body: chat(i, { temperature: i + 3, max_tokens: -1, top_p: 'x' }) }),
  (target, i) => ({ key: keyOf(target, i), body: chat(i, { model: `no-${i}` }) }),
  (_, i) => ({ key: `wrong-${i}`, body: chat(i) }),
  (target, i) => ({ key: keyOf(target, i), path: `/v1/nothing/${i}`, body: chat(i) }),
  (target, i) => ({ key: keyOf(target, i), method: 'PUT', body: chat(i) }),
  (target, i) => ({ key: keyOf(target, i), body: JSON.stringify({ junk: 'x'.repeat(20_000) }) }),
];
const tooLarge = (target: Target, i: number): Sent => ({ key: keyOf(target, i), body: 'x'.repeat(1_200_000) });

export const loads: Record<string, Load> = {
  /** One in fifty is larger than the limit for bodies. */
  refused: async (target, i) =>
    void (await send(
      target,
      i % 50 === 49 ? tooLarge(target, i) : (mistakes[i % mistakes.length] ?? tooLarge)(target, i),
    )),
  /** In the queue, in the prompt, in the answer. */
  aborts: async (target, i) => {
    const body = chat(i, {
      stream: true,
      max_tokens: 100,
      messages: [{ role: 'user', content: text(i, 10 + (i % 60)) }],
    });
    await send(target, { key: keyOf(target, i), body, abortMs: (i * 7919) % 300 });
  },
  /** As large as a body may be: refused for its fields, its nesting, its length in tokens. */
  large: async (target, i) => {
    const bodies = [
      () => JSON.stringify({ messages: [], junk: text(i, 140_000) }),
      () => '['.repeat(900_000),
      () => `[${'[1,2],'.repeat(150_000)}1]`,
      () => chat(i, { messages: [{ role: 'user', content: text(i, 140_000) }] }),
    ];
    await send(target, { key: keyOf(target, i), body: bodies[i % bodies.length]?.() });
  },
  chats: async (target, i) =>
    void (await send(target, { key: keyOf(target, i), body: chat(i, { stream: i % 2 === 0 }) })),
};

/** Requests `from` to `to` of a load, `width` at a time. */
export async function drive(load: Load, target: Target, from: number, to: number, width: number): Promise<void> {
  let next = from;
  const client = async () => {
    while (next < to) await load(target, next++);
  };
  await Promise.all(Array.from({ length: width }, client));
}

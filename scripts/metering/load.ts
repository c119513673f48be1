import { setTimeout as sleep } from 'node:timers/promises';

/** What a client knows of a request. */
export interface Asked {
  /** Undefined: cut before the first byte. */
  readonly id: string | undefined;
  /** Of a completed answer. */
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number } | undefined;
  /** The code of a refusal. */
  readonly code: string | undefined;
}

/** Asks until it is told to stop, or nobody answers any more; whole answers and streams, short and long. */
export async function ask(url: string, key: string, seen: Asked[], stop: () => boolean): Promise<void> {
  for (let i = Math.floor(Math.random() * 4); !stop(); i++) {
    const asked = await one(url, key, i % 2 === 0, i % 4 < 2 ? 1 + (i % 16) : 30 + (i % 40));
    seen.push(asked);
    if (asked.id === undefined) return;
    if (asked.code !== undefined) await sleep(20);
  }
}

async function one(url: string, key: string, stream: boolean, tokens: number): Promise<Asked> {
  let id: string | undefined;
  try {
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        prompt: 'The sea',
        max_tokens: tokens,
        stream,
        stream_options: stream ? { include_usage: true } : undefined,
      }),
    });
    id = response.headers.get('x-request-id') ?? undefined;
    const text = await response.text();
    return { id, ...(stream && response.ok ? ofStream(text) : ofWhole(JSON.parse(text))) };
  } catch {
    return { id, usage: undefined, code: undefined };
  }
}

interface Answer {
  readonly usage?: Asked['usage'] | null;
  readonly error?: { readonly code: string };
}

const ofWhole = ({ usage, error }: Answer) => ({ usage: usage ?? undefined, code: error?.code });

/** Completed is what has its last frame. */
function ofStream(text: string): Pick<Asked, 'usage' | 'code'> {
  const frames = text.split('\n\n').filter(frame => frame.startsWith('data: '));
  const done = frames.at(-1) === 'data: [DONE]';
  const values = frames.filter(frame => frame.startsWith('data: {')).map((frame): Answer => JSON.parse(frame.slice(6)));
  const failed = values.find(({ error }) => error !== undefined);
  const usage = values.findLast(value => value.usage)?.usage ?? undefined;
  return { usage: done && !failed ? usage : undefined, code: failed?.error?.code };
}

import { createHmac } from 'node:crypto';

/** Where the operator wants to be told of events; signed with the secret, so that nobody else can tell any. */
export interface Webhook {
  readonly url: string;
  readonly secret: string;
}

export interface WebhookMessage {
  readonly id: string;
  readonly body: string;
}

const answerMs = 10_000;

/** Tells it, as https://www.standardwebhooks.com has it. Throws where the answer is not a 2xx. */
export async function sendWebhook(
  { url, secret }: Webhook,
  message: WebhookMessage,
  signal: AbortSignal,
): Promise<void> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'user-agent': 'realm',
      'webhook-id': message.id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signature(secret, message, timestamp),
    },
    body: message.body,
    // Only where the operator said.
    redirect: 'manual',
    signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
}

/** `whsec_` and base64, as others write such secrets; any other text stands for its bytes. */
export function signature(secret: string, { id, body }: WebhookMessage, timestamp: string): string {
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : secret;
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
}

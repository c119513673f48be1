import { createHash } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { asRealmError, RealmError } from '../errors.ts';
import { uploadFailed } from './body.ts';
import { credentials } from './credentials.ts';
import type { AnswerBook } from './kept-answers.ts';
import type { AppContext, AppEnv, Route } from './route.ts';
import { seal, unseal } from './seal.ts';

const header = 'idempotency-key';
export const keyPattern = /^[\x21-\x7e]{1,255}$/;
/** An answer that is longer is not kept, only that there was one. */
const mostBytes = 1 << 20;

/** The request's key, and what the answer is kept under. */
interface Kept {
  readonly id: string;
  readonly attempt: string;
  /** The answer is read with this: the key itself is not kept. */
  readonly secret: string;
}

interface WholeAnswer {
  readonly type: string;
  readonly requestId: string;
  readonly body: string;
}

/**
 * Requests with an `Idempotency-Key`: the same key and body get the same answer, which is made once. Only answers that
 * succeeded are kept; what failed or was left cost nothing that must not be done again, and is answered anew.
 */
export function answerOnce(route: Route): MiddlewareHandler<AppEnv> {
  const taken = isAnsweredOnce(route);
  return async (context, next) => {
    const key = context.req.header(header);
    // On a WebSocket many requests have the headers of one.
    if (!taken || key === undefined || context.env?.local) return next();
    const { keptAnswers } = context.var.services;
    const request = await identify(context, key, route.admin === true);
    const earlier = await keptAnswers.begin(request);
    switch (earlier.kind) {
      case 'none':
        return answered(context, { ...request, attempt: earlier.attempt }, next);
      case 'answered':
        return replay(context, request, earlier.answer);
      case 'running': {
        const message = `${header}: the first request with this key is still being answered; send it again later`;
        throw new RealmError('idempotency_key_in_use', message, { param: header, retryAfter: 1 });
      }
      case 'other':
        throw conflict('was used for another request; use a new one for each');
      case 'too_long':
        throw conflict('was used, and its answer was too long to be kept; use a new one to ask again');
    }
  };
}

/** Routes whose requests may have such a key. */
export function isAnsweredOnce({ method, inference, admin }: Route): boolean {
  return method === 'POST' && (inference === true || admin === true);
}

function conflict(problem: string): RealmError {
  const headers = { 'x-should-retry': 'false' };
  return new RealmError('idempotency_conflict', `${header}: this key ${problem}`, { param: header, headers });
}

async function identify(context: AppContext, key: string, admin: boolean) {
  if (!keyPattern.test(key))
    throw new RealmError('invalid_request', `${header}: must be 1 to 255 visible characters of ASCII`, {
      param: header,
    });
  const owner = admin ? '' : (context.get('exchange').tenant ?? '');
  // Operators' answers may hold keys: only whoever has asked may read them again.
  const secret = `${admin ? credentials(context.req.raw.headers) : owner}\n${key}`;
  const body = new Uint8Array(await context.req.arrayBuffer().catch(uploadFailed));
  const { pathname, search } = new URL(context.req.url);
  return {
    id: digest(admin ? 'admin' : 'tenant', secret),
    owner,
    digest: digest(context.req.method, pathname, search, body),
    secret,
  };
}

function digest(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

/** Answers, and keeps the answer before its last byte is sent. */
async function answered(context: AppContext, kept: Kept, next: () => Promise<void>): Promise<void> {
  const { exchange, services } = context.var;
  await next();
  const { res } = context;
  if (!res.ok || res.body === null) return forget(context, kept);
  const type = res.headers.get('content-type') ?? '';
  const end = async (body: string | undefined) => {
    const answer = body && seal(JSON.stringify({ type, requestId: exchange.id, body }), kept.secret, kept.id);
    await noted(context, services.keptAnswers.keep(kept.id, kept.attempt, answer));
  };
  if (exchange.streaming) {
    context.res = new Response(keeping(res.body, context, kept, end), res);
    return;
  }
  const body = await res.text();
  await end(body.length > mostBytes ? undefined : body);
  context.res = new Response(body, res);
}

/** The same stream, whose end comes once it is kept. */
function keeping(
  body: ReadableStream<Uint8Array>,
  context: AppContext,
  kept: Kept,
  end: (body: string | undefined) => Promise<void>,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text: string | undefined = '';
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (!done) {
          if (text !== undefined) text += decoder.decode(value, { stream: true });
          if (text !== undefined && text.length > mostBytes) text = undefined;
          return controller.enqueue(value);
        }
        // A stream that failed, or was cancelled, has an end too.
        await (context.get('exchange').code === undefined ? end(text) : forget(context, kept));
        controller.close();
      },
      async cancel(reason) {
        await reader.cancel(reason);
        await forget(context, kept);
      },
    },
    { highWaterMark: 0 },
  );
}

function forget(context: AppContext, { id, attempt }: Kept): Promise<void> {
  const { keptAnswers }: { keptAnswers: AnswerBook } = context.var.services;
  return noted(context, keptAnswers.forget(id, attempt));
}

/** An answer is given though it could not be kept; the key is free again when nobody renews it. */
async function noted(context: AppContext, keeping: Promise<void>): Promise<void> {
  await keeping.catch(error => {
    const { logger } = context.var.services;
    const { code, message } = asRealmError(error);
    logger.log('warn', 'answer not kept', { request_id: context.get('exchange').id, code, message });
  });
}

function replay(context: AppContext, { id, secret }: Omit<Kept, 'attempt'>, sealed: string): Response {
  const { type, requestId, body } = JSON.parse(unseal(sealed, secret, id)) as WholeAnswer;
  const headers = { 'content-type': type, 'idempotent-replayed': 'true', 'x-original-request-id': requestId };
  return context.body(body, 200, { ...headers, 'cache-control': 'no-cache' });
}

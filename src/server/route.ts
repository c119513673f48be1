import type { Context } from 'hono';
import type { Principal, Tenant } from '../tenancy/tenants.ts';
import type { Exchange } from './exchange.ts';
import type { LocalResponses } from './responses/book.ts';
import type { Services } from './services.ts';
import type { Upgrade } from './sockets/talk.ts';
import type { BodyForm } from './text/bodies.ts';

/** What the listener tells about a connection. */
export interface ConnectionInfo {
  readonly remoteAddress?: string;
  /** A WebSocket is asked for. */
  readonly upgrade?: Upgrade;
  /** What a connection of the Responses API remembers, which asks many times. */
  readonly local?: LocalResponses;
}

export type AppEnv = {
  Bindings: ConnectionInfo;
  Variables: { services: Services; exchange: Exchange; tenant: Tenant; principal: Principal };
};

export type AppContext = Context<AppEnv>;

/** An answer whose JSON has been written already. */
export function jsonResponse(context: AppContext, json: Uint8Array<ArrayBuffer>): Response {
  return context.body(json, 200, { 'content-type': 'application/json' });
}

/** An endpoint: one file in routes/ each. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** What it is for, in the description of the API. */
  readonly summary: string;
  /** The form of its body. */
  readonly body?: BodyForm;
  /** Its type where it may be bytes instead. */
  readonly bytes?: string;
  /** It may be as large as this, whatever the server's limit is. */
  readonly bodyBytes?: number;
  /** What may stand in its query, with what that means. */
  readonly query?: Readonly<Record<string, string>>;
  /** Answers without a key. */
  readonly open?: boolean;
  /** Asked each second by whoever watches: its lines in the log are for debugging, and it is in no trace. */
  readonly quiet?: boolean;
  /** For the operator: answers with an administrator's key, not with a tenant's. */
  readonly admin?: boolean;
  /** Asks a model: it counts for rates. */
  readonly inference?: boolean;
  handle(context: AppContext): Response | Promise<Response>;
}

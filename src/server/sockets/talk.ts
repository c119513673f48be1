import type { LocalResponses } from '../responses/book.ts';

/** What is spoken on a connection. */
export interface Talk {
  /** Messages are given one after the other, as they came: the next one when this one is done. */
  take(message: Buffer): Promise<void>;
  /** Requests that it has not answered. */
  readonly unanswered?: number;
  /** Bytes that may wait while a message is being taken, where that is more than the longest message has. */
  readonly waitingBytes?: number;
  closed?(): void;
}

/** Makes what is spoken on a connection that has just begun. */
export type OpenTalk = (link: Link) => Talk;

/** A WebSocket that a client asks a route for. */
export interface Upgrade {
  /** The connection may begin. `tenant`: whose it is, if that is known. Throws `too_many_connections`. */
  agree(open: OpenTalk, tenant?: string): void;
}

/** One request to the app. */
export interface Asked {
  readonly body?: Uint8Array<ArrayBuffer>;
  /** In the place of the connection's own. */
  readonly authorization?: string | undefined;
  readonly signal?: AbortSignal;
  readonly local?: LocalResponses;
}

/** A WebSocket as a client of the app. */
export interface Link {
  /** Aborted when the connection has ended. */
  readonly gone: AbortSignal;
  /** The `Authorization` that the connection was asked for with. */
  readonly authorization: string | undefined;
  readonly remoteAddress: string | undefined;
  /** Counts it among the tenant's. Throws `too_many_connections`. */
  belongTo(tenant: string): void;
  /** A request with the connection's own headers: its page's origin, what proxies say, and the key. */
  fetch(method: 'GET' | 'POST', path: string, asked: Asked): Promise<Response>;
  /** Done when the system has taken it: nothing is pulled from an engine before. */
  send(text: string): Promise<void>;
  ping(): void;
  close(code: number, reason: string): void;
  destroy(): void;
  /** Told by whoever has answered. */
  rest(): void;
}

/** A code of closing: RFC 6455, 7.4.1. */
export const policyViolation = 1008;

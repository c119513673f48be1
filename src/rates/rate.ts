/** How fast; what is absent is not limited. */
export interface Rate {
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
  /** Requests that are being answered at once. */
  readonly concurrent?: number | undefined;
}

/** Whose requests are counted: those of a key are those of its tenant too. */
export interface RateOwner {
  readonly tenant: string;
  /** The public id of the key; undefined on a server without keys. */
  readonly keyId: string | undefined;
}

/** What holds for an owner, asked at each request, so that it may change while the server runs. */
export type RateOf = (owner: RateOwner) => { readonly tenant?: Rate | undefined; readonly key?: Rate | undefined };

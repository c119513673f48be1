import type { EngineUsage } from '../engine/request.ts';
import { amountOf } from './budgets.ts';
import type { Lease } from './lease.ts';
import type { EndedCall, RunningCall } from './ledger.ts';
import type { CallStatus, EngineCall } from './meter.ts';
import { costOf, type Tariff } from './prices.ts';

/** What a call has reserved of a budget. */
export interface Part {
  readonly lease: Lease;
  readonly reserved: number;
}

const nothing: EngineUsage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };

/** A call that was granted, until it is on record. */
export class Running {
  usage = nothing;
  /** The store may know of it. */
  known = false;
  readonly parts: readonly Part[];
  readonly #call: EngineCall;
  readonly #tariff: Tariff;
  readonly #at: number;
  readonly #first: { readonly requests: number; readonly model_requests: number };
  readonly #budgets: readonly string[];

  constructor(
    call: EngineCall,
    tariff: Tariff,
    parts: readonly Part[],
    at: number,
    first: { readonly requests: number; readonly model_requests: number },
  ) {
    this.#call = call;
    this.#tariff = tariff;
    this.parts = parts;
    this.#at = at;
    this.#first = first;
    this.#budgets = parts.map(({ lease }) => lease.id);
  }

  /** As the ledger has it. */
  row(): RunningCall {
    const { requestId, call, tenant, keyId, model, adapter } = this.#call;
    const { promptTokens, cachedTokens, completionTokens } = this.usage;
    return {
      request_id: requestId,
      call,
      tenant,
      key_id: keyId ?? '',
      model,
      adapter: adapter ?? '',
      ...this.#first,
      input_tokens: promptTokens,
      cached_tokens: cachedTokens,
      output_tokens: completionTokens,
      cost: costOf(this.#tariff, this.usage),
      at: this.#at,
      budgets: this.#budgets,
    };
  }

  /** Its end: what it did not use is there for other calls at once. */
  end(status: CallStatus): EndedCall {
    const row = { ...this.row(), status, known: this.known };
    for (const { lease, reserved } of this.parts) lease.used -= reserved - amountOf(lease.id, row);
    return row;
  }
}

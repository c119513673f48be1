import type { EngineCall, Meter, Reservation } from '../metering/meter.ts';
import type { Rates } from './rates.ts';

/** Of a call that does not say how long its answer may be, the part of a minute's tokens that it is let take. */
const openEndedPart = 4;

/** A meter that also limits the tokens of a minute: each call takes the most that it can use, and gives back the rest. */
export function withRates(meter: Meter, rates: Rates): Meter {
  return {
    async reserve(call) {
      const most = rates.mostTokens(call);
      if (most === undefined) return meter.reserve(call);
      const maxTokens = answerTokens(call, most);
      const taken = call.promptTokens + maxTokens;
      const grant = await rates.takeTokens(call, taken);
      try {
        return limited(await meter.reserve({ ...call, maxTokens }), used => grant.giveBack(taken - used));
      } catch (error) {
        grant.giveBack(taken);
        throw error;
      }
    },
    ...(meter.budgetsOf && { budgetsOf: tenant => meter.budgetsOf!(tenant) }),
  };
}

/** What nobody asked for is cut to a part of the limit, as far as the prompt leaves it; what was asked for is not. */
function answerTokens({ promptTokens, maxTokens, openEnded }: EngineCall, most: number): number {
  if (!openEnded) return maxTokens;
  const room = Math.min(most - promptTokens, Math.max(1, Math.floor(most / openEndedPart)));
  return Math.max(1, Math.min(maxTokens, room));
}

function limited(inner: Reservation, giveBack: (used: number) => void): Reservation {
  let used = 0;
  let settled = false;
  return {
    maxTokens: inner.maxTokens,
    count(usage) {
      used = usage.promptTokens + usage.completionTokens;
      inner.count(usage);
    },
    async settle(status, wanted) {
      if (!settled) giveBack(used);
      settled = true;
      await inner.settle(status, wanted);
    },
  };
}

/** Money is counted in whole billionths of the unit that budgets are written in, rounded up: sums of them are exact. */
export const billionths = 1e9;

/** Of a million tokens, in the unit of budgets of money. */
export interface Price {
  readonly input: number;
  /** Of those that the cache had; absent: as `input`. */
  readonly cached?: number | undefined;
  readonly output: number;
}

/** A price ready for counting: billionths for a million tokens, so that a token's price may be less than one. */
export interface Tariff {
  readonly input: bigint;
  readonly cached: bigint;
  readonly output: bigint;
  /** Of a token of a prompt, whether the cache has it or not. */
  readonly prompt: bigint;
}

const million = 1_000_000n;

export function tariffOf({ input, cached = input, output }: Price): Tariff {
  const whole = (price: number) => BigInt(Math.round(price * billionths));
  return {
    input: whole(input),
    cached: whole(cached),
    output: whole(output),
    prompt: whole(Math.max(input, cached)),
  };
}

interface TokenCounts {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** What a call costs, in billionths. */
export function costOf(tariff: Tariff, { promptTokens, cachedTokens, completionTokens }: TokenCounts): number {
  const { input, cached, output } = tariff;
  const sum =
    BigInt(promptTokens - cachedTokens) * input + BigInt(cachedTokens) * cached + BigInt(completionTokens) * output;
  return roundedUp(sum);
}

/** The most that a call can cost. */
export function mostCost({ prompt, output }: Tariff, promptTokens: number, maxTokens: number): number {
  return roundedUp(BigInt(promptTokens) * prompt + BigInt(maxTokens) * output);
}

/** Most tokens that a call with such a prompt may generate for so much money; negative where the prompt alone costs more. */
export function tokensFor({ prompt, output }: Tariff, promptTokens: number, money: number): number {
  const left = BigInt(Math.floor(money)) * million - BigInt(promptTokens) * prompt;
  if (left < 0n) return -1;
  return output === 0n ? Number.POSITIVE_INFINITY : Number(left / output);
}

const roundedUp = (sum: bigint): number => Number((sum + million - 1n) / million);

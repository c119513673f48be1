/** Exact decimal numbers: `digits` × 10^-`scale`. What a schema says of 0.1 is meant in tenths, not in binary. */
export interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
}

/** Of a finite number as JSON writes it; the scale is the least that is not negative. */
export function decimal(value: number): Decimal {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value))!;
  const fraction = match[3] ?? '';
  const scale = fraction.length - Number(match[4] ?? 0);
  const digits = BigInt(`${match[1]}${match[2]}${fraction}`);
  return scale >= 0 ? trimmed({ digits, scale }) : { digits: digits * 10n ** BigInt(-scale), scale: 0 };
}

function trimmed({ digits, scale }: Decimal): Decimal {
  let [least, at] = [digits, scale];
  while (at > 0 && least % 10n === 0n) [least, at] = [least / 10n, at - 1];
  return { digits: least, scale: at };
}

/** The digits at a scale that is not smaller. */
export function atScale(value: Decimal, scale: number): bigint {
  return value.digits * 10n ** BigInt(scale - value.scale);
}

export function compareDecimals(a: Decimal, b: Decimal): number {
  const scale = Math.max(a.scale, b.scale);
  const difference = atScale(a, scale) - atScale(b, scale);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

export function negateDecimal({ digits, scale }: Decimal): Decimal {
  return { digits: -digits, scale };
}

export function isMultiple(value: Decimal, of: Decimal): boolean {
  const scale = Math.max(value.scale, of.scale);
  return atScale(value, scale) % atScale(of, scale) === 0n;
}

/** The least common multiple, of positive numbers. */
export function commonMultiple(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  const [x, y] = [atScale(a, scale), atScale(b, scale)];
  let [divisor, rest] = [x, y];
  while (rest !== 0n) [divisor, rest] = [rest, divisor % rest];
  return trimmed({ digits: (x / divisor) * y, scale });
}

/** As JSON writes it, without an exponent. */
export function decimalText({ digits, scale }: Decimal): string {
  const sign = digits < 0n ? '-' : '';
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0');
  return scale === 0 ? sign + text : `${sign}${text.slice(0, -scale)}.${text.slice(-scale)}`;
}

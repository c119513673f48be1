/** Numbers as regular expressions: ranges compare texts digit by digit, multiples look at the last digits. */
import { digitRange, type JsonText } from '../json-text.ts';
import type { RegexId } from '../regex.ts';
import { atScale, compareDecimals, type Decimal, decimal, decimalText, isMultiple, negateDecimal } from './decimal.ts';
import type { Bound, NumberForm } from './forms.ts';

/** So many multiples in a range are written out. */
const maxWrittenOut = 4096;

/** The regular expression; undefined where none is known that is exact: `multipleOf` 7 without both ends. */
export function numberRegex(form: NumberForm, text: JsonText): RegexId | undefined {
  const { min, max } = form;
  const { regexes } = text;
  if (min && max && compareDecimals(min.value, max.value) === 0) return regexes.literal(decimalText(min.value));
  if (form.multipleOf) return multiples(form, form.multipleOf, text);
  return regexes.or([regexes.and([base(form, text), ...bounds(form, text)]), ...scientific(form, text)]);
}

function base(form: NumberForm, text: JsonText): RegexId {
  const { regexes } = text;
  const sign = regexes.repeat(regexes.literal('-'), 0, 1);
  const integer = regexes.concat([sign, text.integer]);
  if (form.integer === true) return integer;
  if (form.integer === false) {
    const digits = regexes.repeat(digitRange(regexes, 0, 9), 0, 14);
    // A longer one is read as an integer.
    return regexes.and([
      regexes.concat([integer, regexes.literal('.'), digits, digitRange(regexes, 1, 9)]),
      shortTexts(text),
    ]);
  }
  const parts = [integer, text.fraction];
  if (!form.min && !form.max) parts.push(text.exponent);
  return regexes.concat(parts);
}

/** Numbers with an exponent between bounds: those of a sign that only zero bounds, and those between -1 and 1. */
function scientific({ integer, min, max }: NumberForm, text: JsonText): RegexId[] {
  if (integer !== undefined || (!min && !max)) return [];
  const { regexes } = text;
  const minus = regexes.literal('-');
  const parts: RegexId[] = [];
  const add = (sign: RegexId, nearer: Bound | undefined, farther: Bound | undefined): void => {
    if (nearer && nearer.value.digits > 0n) return;
    const number = regexes.concat([text.integer, text.fraction, text.someExponent]);
    const small = regexes.concat([digitRange(regexes, 0, 9), text.fraction, text.negativeExponent]);
    const reachesOne = !farther || compareDecimals(farther.value, decimal(1)) >= 0;
    const free = farther ? (reachesOne ? small : regexes.nothing) : number;
    parts.push(regexes.concat([sign, nearer?.exclusive && nearer.value.digits === 0n ? nonzero(free, text) : free]));
  };
  const mirrored = (bound: Bound | undefined) => bound && { ...bound, value: negateDecimal(bound.value) };
  add(regexes.empty, min, max);
  add(minus, mirrored(max), mirrored(min));
  return parts;
}

/** Texts that begin with a digit other than zero, or with zeros and a point before one. */
function nonzero(number: RegexId, text: JsonText): RegexId {
  const { regexes } = text;
  const zeros = regexes.repeat(
    regexes.bytes([
      [46, 46],
      [48, 48],
    ]),
    0,
  );
  return regexes.and([number, regexes.concat([zeros, digitRange(regexes, 1, 9), regexes.everything])]);
}

function bounds(form: NumberForm, text: JsonText): RegexId[] {
  const { regexes } = text;
  const ranges = new Comparisons(text);
  const minus = regexes.literal('-');
  const parts: RegexId[] = [];
  const zero = (bound: Bound) => bound.value.digits === 0n;
  if (form.min) {
    const { value, exclusive } = form.min;
    if (value.digits >= 0n) parts.push(ranges.above(value, exclusive));
    else parts.push(regexes.or([ranges.any, regexes.concat([minus, ranges.below(negateDecimal(value), exclusive)])]));
    if (exclusive && !zero(form.min)) parts.push(shortTexts(text));
  }
  if (form.max) {
    const { value, exclusive } = form.max;
    if (value.digits > 0n || (value.digits === 0n && !exclusive)) {
      parts.push(regexes.or([ranges.below(value, exclusive), regexes.concat([minus, ranges.any])]));
    } else parts.push(regexes.concat([minus, ranges.above(negateDecimal(value), exclusive)]));
    if (exclusive && !zero(form.max)) parts.push(shortTexts(text));
  }
  return parts;
}

/** At most 15 digits, which a double holds: a longer one just below an excluded bound is read as the bound itself. */
function shortTexts(text: JsonText): RegexId {
  const { regexes } = text;
  return regexes.concat([
    regexes.repeat(regexes.literal('-'), 0, 1),
    regexes.repeat(
      regexes.bytes([
        [46, 46],
        [48, 57],
      ]),
      1,
      16,
    ),
  ]);
}

/** Texts of numbers without a sign that are above or below a decimal. What is no number at all is left to the base. */
class Comparisons {
  readonly #text: JsonText;
  readonly any: RegexId;
  readonly #digits: RegexId;
  readonly #zeros: RegexId;

  constructor(text: JsonText) {
    const { regexes } = text;
    this.#text = text;
    this.any = regexes.repeat(
      regexes.bytes([
        [46, 46],
        [48, 57],
      ]),
      0,
    );
    this.#digits = regexes.repeat(digitRange(regexes, 0, 9), 0);
    this.#zeros = regexes.repeat(regexes.literal('0'), 0);
  }

  above(bound: Decimal, exclusive: boolean): RegexId {
    const [whole, fraction] = halves(bound);
    return this.#joined(whole, this.#wholeAbove(whole), this.#fraction(fraction, 'above', exclusive));
  }

  below(bound: Decimal, exclusive: boolean): RegexId {
    const [whole, fraction] = halves(bound);
    return this.#joined(whole, this.#wholeBelow(whole), this.#fraction(fraction, 'below', exclusive));
  }

  #joined(whole: string, otherWholes: RegexId, fraction: RegexId): RegexId {
    const { regexes } = this.#text;
    const free = regexes.repeat(regexes.concat([regexes.literal('.'), this.#digits]), 0, 1);
    return regexes.or([regexes.concat([otherWholes, free]), regexes.concat([regexes.literal(whole), fraction])]);
  }

  #wholeAbove(whole: string): RegexId {
    const { regexes } = this.#text;
    const any = digitRange(regexes, 0, 9);
    const longer = regexes.concat([digitRange(regexes, 1, 9), regexes.repeat(any, whole.length)]);
    const same = [...whole].map((digit, at) =>
      regexes.concat([
        regexes.literal(whole.slice(0, at)),
        digitRange(regexes, Number(digit) + 1, 9),
        regexes.repeat(any, whole.length - at - 1, whole.length - at - 1),
      ]),
    );
    return regexes.or([longer, ...same]);
  }

  #wholeBelow(whole: string): RegexId {
    const { regexes } = this.#text;
    const any = digitRange(regexes, 0, 9);
    const shorter = regexes.repeat(any, 1, Math.max(whole.length - 1, 1));
    const same = [...whole].map((digit, at) =>
      regexes.concat([
        regexes.literal(whole.slice(0, at)),
        digitRange(regexes, 0, Number(digit) - 1),
        regexes.repeat(any, whole.length - at - 1, whole.length - at - 1),
      ]),
    );
    return regexes.or(whole.length > 1 ? [shorter, ...same] : same);
  }

  /** A point and digits, or nothing, compared with those of the bound. */
  #fraction(bound: string, side: 'above' | 'below', exclusive: boolean): RegexId {
    const { regexes } = this.#text;
    const nonzero = regexes.concat([this.#zeros, digitRange(regexes, 1, 9), this.#digits]);
    let digits = side === 'above' ? (exclusive ? nonzero : this.#digits) : exclusive ? regexes.nothing : this.#zeros;
    for (const digit of [...bound].reverse()) {
      const value = Number(digit);
      const free = side === 'above' ? digitRange(regexes, value + 1, 9) : digitRange(regexes, 0, value - 1);
      const parts = [regexes.concat([free, this.#digits]), regexes.concat([regexes.literal(digit), digits])];
      // Texts that end here go on with zeros, which are below what is left of the bound.
      if (side === 'below') parts.push(regexes.empty);
      digits = regexes.or(parts);
    }
    const written = regexes.concat([regexes.literal('.'), digits]);
    const none = bound === '' ? !exclusive : side === 'below';
    return none ? regexes.or([regexes.empty, written]) : written;
  }
}

function halves(bound: Decimal): [whole: string, fraction: string] {
  const [whole, fraction] = decimalText(bound).split('.');
  return [whole!, fraction ?? ''];
}

function multiples(form: NumberForm, step: Decimal, text: JsonText): RegexId | undefined {
  const { regexes } = text;
  const written = writtenOut(form, step);
  if (written) return regexes.or(written.map(value => regexes.literal(value)));
  const unsigned = lastDigits(step, text);
  if (unsigned === undefined) return undefined;
  const sign = regexes.repeat(regexes.literal('-'), 0, 1);
  const withoutExponent = { ...form, min: form.min ?? { value: decimal(-1e15), exclusive: false } };
  const signed = regexes.concat([sign, unsigned]);
  return regexes.and([base(withoutExponent, text), signed, shortTexts(text), ...bounds(form, text)]);
}

/** All multiples between both ends, if there are few. */
function writtenOut({ min, max, integer }: NumberForm, step: Decimal): string[] | undefined {
  if (!min || !max) return undefined;
  const scale = Math.max(min.value.scale, max.value.scale, step.scale);
  const [from, to, by] = [atScale(min.value, scale), atScale(max.value, scale), atScale(step, scale)];
  if ((to - from) / by > BigInt(maxWrittenOut)) return undefined;
  const texts: string[] = [];
  let digits = (from / by) * by;
  if (digits < from) digits += by;
  for (; digits <= to; digits += by) {
    if ((digits === from && min.exclusive) || (digits === to && max.exclusive)) continue;
    if (integer === false && isMultiple({ digits, scale }, decimal(1))) continue;
    texts.push(decimalText(shortest({ digits, scale })));
  }
  return texts;
}

function shortest(value: Decimal): Decimal {
  let { digits, scale } = value;
  while (scale > 0 && digits % 10n === 0n) [digits, scale] = [digits / 10n, scale - 1];
  return { digits, scale };
}

/** Where the step divides a power of ten, the last digits say whether it divides the number. */
function lastDigits({ digits: step, scale }: Decimal, text: JsonText): RegexId | undefined {
  const places = [0, 1, 2, 3].find(count => 10n ** BigInt(count) % step === 0n);
  if (places === undefined || (scale > 0 && places > scale)) return undefined;
  const endings: string[] = [];
  for (let value = 0n; value < 10n ** BigInt(places); value += step) {
    endings.push(places === 0 ? '' : value.toString().padStart(places, '0'));
  }
  return scale === 0 ? wholeEndings(endings, text) : fractionEndings(endings, scale - places, text);
}

function wholeEndings(endings: readonly string[], text: JsonText): RegexId {
  const { regexes } = text;
  const any = digitRange(regexes, 0, 9);
  const longer = regexes.concat([digitRange(regexes, 1, 9), regexes.repeat(any, 0), literals(endings, text)]);
  const short = endings.map(ending => ending.replace(/^0+(?=\d)/, ''));
  const whole = endings[0] === '' ? text.integer : regexes.or([longer, literals(short, text)]);
  const zeros = regexes.concat([regexes.literal('.'), regexes.repeat(regexes.literal('0'), 1, 3)]);
  return regexes.concat([whole, regexes.repeat(zeros, 0, 1)]);
}

/** Any digits at `free` places behind the point, then one of the endings, whose last zeros may be left out. */
function fractionEndings(endings: readonly string[], free: number, text: JsonText): RegexId {
  const { regexes } = text;
  const any = digitRange(regexes, 0, 9);
  const shortened = endings.flatMap(ending =>
    Array.from({ length: /0*$/.exec(ending)![0].length + 1 }, (_, zeros) => ending.slice(0, ending.length - zeros)),
  );
  const written = literals(
    shortened.filter(ending => ending !== '' || free > 0),
    text,
  );
  const digits = [regexes.concat([regexes.repeat(any, free, free), written])];
  if (free > 1) digits.push(regexes.repeat(any, 1, free - 1));
  const fraction = regexes.concat([regexes.literal('.'), regexes.or(digits)]);
  return regexes.concat([text.integer, regexes.repeat(fraction, 0, 1)]);
}

function literals(texts: readonly string[], text: JsonText): RegexId {
  return text.regexes.or(texts.map(each => text.regexes.literal(each)));
}

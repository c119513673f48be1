/** Numbers and times as the page writes them; nothing is a dash. */

const nothing = '–';
type Maybe = number | null | undefined;

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

const missing = (value: Maybe): value is null | undefined => value === null || value === undefined;

export const count = (value: Maybe): string => (missing(value) ? nothing : whole.format(value));
/** 12,300 is 12.3K. */
export const compact = (value: Maybe): string => (missing(value) ? nothing : short.format(value));
export const percent = (share: Maybe): string => (missing(share) ? nothing : `${Math.round(share * 100)} %`);
export const perSecond = (value: Maybe): string => (missing(value) ? nothing : `${value.toFixed(1)}/s`);

export function bytes(value: Maybe): string {
  if (missing(value)) return nothing;
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = value < 1 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), units.length - 1);
  return `${(value / 1000 ** power).toFixed(power < 2 ? 0 : 1)} ${units[power]}`;
}

export function milliseconds(value: Maybe): string {
  if (missing(value)) return nothing;
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

/** How long ago, or how far ahead. */
export function ago(iso: string | null | undefined, now = Date.now()): string {
  if (!iso) return nothing;
  const seconds = Math.round((now - Date.parse(iso)) / 1000);
  const size = Math.abs(seconds);
  const [amount, unit] =
    size < 60
      ? [size, 's']
      : size < 3600
        ? [size / 60, 'min']
        : size < 86_400
          ? [size / 3600, 'h']
          : [size / 86_400, 'd'];
  const text = `${Math.floor(amount)} ${unit}`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

/** In UTC, as periods of budgets are. */
export const time = (iso: string | null | undefined): string => (iso ? iso.slice(0, 19).replace('T', ' ') : nothing);

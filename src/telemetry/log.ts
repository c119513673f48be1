import { withoutKeys } from '../tenancy/keys.ts';

/** From what is hardly ever wanted to what always is. */
export const levels = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof levels)[number];

/**
 * What a log line carries beside its message. Never keys, and text of prompts or answers in the lines of
 * `server/debug-log.ts` alone.
 */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Logger {
  log(level: Level, message: string, fields?: Fields): void;
}

export interface LoggerOptions {
  /** One JSON object a line for machines, or `key=value` for people. */
  readonly format: 'json' | 'text';
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

export function createLogger({ format, write, now = () => new Date() }: LoggerOptions): Logger {
  const line = format === 'json' ? jsonLine : textLine;
  return { log: (level, message, fields = {}) => write(`${withoutKeys(line(now(), level, message, fields))}\n`) };
}

/** A logger that says nothing. */
export const silent: Logger = { log: () => {} };

function jsonLine(time: Date, level: Level, message: string, fields: Fields): string {
  return JSON.stringify({ time: time.toISOString(), level, message, ...fields });
}

function textLine(time: Date, level: Level, message: string, fields: Fields): string {
  const pairs = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${plain(value)}`],
  );
  return [time.toISOString().slice(11, 23), level, plain(message, /^[ -~]*$/), ...pairs].join(' ');
}

/** Quotes whatever could be mistaken for another field, another line or a terminal's control sequence. */
function plain(value: string | number | boolean, safe = /^[!#-<>-~]+$/): string {
  const text = String(value);
  // JSON leaves DEL and the C1 controls as they are; terminals obey some of them.
  const hex = (c: string) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return safe.test(text) ? text : JSON.stringify(text).replace(/[\x7f-\x9f]/g, hex);
}

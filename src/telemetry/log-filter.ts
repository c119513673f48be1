import { type Fields, type Level, type Logger, levels } from './log.ts';

/** Which lines are written. */
export interface LogSettings {
  /** Lines below it are not. */
  readonly level: Level;
  /** The share of answered requests that have a line; what was refused or failed always has one. */
  readonly sample: number;
}

export type LogChange = { readonly [key in keyof LogSettings]?: LogSettings[key] | undefined };

export const logDefaults: LogSettings = { level: 'info', sample: 1 };

/** Passes on the lines that are wanted, which can be said anew while the server runs. */
export class LogFilter implements Logger {
  readonly #logger: Logger;
  readonly #configured: LogSettings;
  #settings: LogSettings;
  /** Grows by `sample` with each request; at 1 there is a line. */
  #due = 0;

  constructor(logger: Logger, settings: LogSettings = logDefaults) {
    this.#logger = logger;
    this.#configured = settings;
    this.#settings = settings;
  }

  get settings(): LogSettings {
    return this.#settings;
  }

  /** What is left out stays as it is. */
  change({ level = this.#settings.level, sample = this.#settings.sample }: LogChange): LogSettings {
    this.#settings = { level, sample };
    return this.#settings;
  }

  /** To `debug`, and the next time back to what was configured. */
  toggleDebug(): LogSettings {
    const { level } = this.#configured;
    return this.change({ level: this.#settings.level === 'debug' ? level : 'debug' });
  }

  /** Whether a line of this level is written: asked before one that is dear to make. */
  wants(level: Level): boolean {
    return levels.indexOf(level) >= levels.indexOf(this.#settings.level);
  }

  log(level: Level, message: string, fields?: Fields): void {
    if (!this.wants(level)) return;
    if (level === 'info' && message === 'request' && fields?.code === undefined && !this.#isSampled()) return;
    this.#logger.log(level, message, fields);
  }

  #isSampled(): boolean {
    this.#due += this.#settings.sample;
    // A tenth ten times is a little less than one.
    if (this.#due < 1 - 1e-9) return false;
    this.#due--;
    return true;
  }
}

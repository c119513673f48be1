import { unwatchFile, watchFile } from 'node:fs';
import { asRealmError } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';
import { loadConfig, type ModelEntry, mistakesOf, type RealmConfig } from '../tenancy/config.ts';
import { issueText } from '../tenancy/issues.ts';

/** The configuration as it is now: what the next request goes by. */
export interface Live {
  config: RealmConfig;
}

export interface ReloadParts {
  /** Loads what the new configuration needs; throws what is wrong with it, and nothing is changed then. */
  prepare(next: RealmConfig): Promise<void>;
  /** Cannot fail. Gives what was changed beside what stands in the file itself. */
  apply(next: RealmConfig): readonly string[];
  note(detail: object): Promise<void>;
}

/** How soon a change of the file is seen. Looking at it works on every file system, and when another file is put in its place. */
const lookMs = 500;

/** Takes over what `realm.yaml` says while the server runs: all of it, or nothing where there is a mistake. */
export class ConfigReload {
  readonly #path: string | undefined;
  readonly #live: Live;
  readonly #logger: Logger;
  readonly #parts: ReloadParts;
  #last: Promise<void> = Promise.resolve();
  /** Beside the file itself. */
  #watched: ReadonlySet<string> = new Set();

  /** `path` undefined: there is no file. */
  constructor(path: string | undefined, live: Live, logger: Logger, parts: ReloadParts) {
    this.#path = path;
    this.#live = live;
    this.#logger = logger;
    this.#parts = parts;
    if (path !== undefined) watchFile(path, { interval: lookMs, persistent: false }, this.#changed);
  }

  /** Reads the file; one after the other. What comes of it is in the log. */
  run(): Promise<void> {
    this.#last = this.#last.then(() => this.#reload());
    return this.#last;
  }

  /** Other files whose change is a change of the configuration, in the place of those before. */
  watch(files: ReadonlySet<string>): void {
    if (this.#path === undefined) return;
    for (const file of this.#watched.difference(files)) unwatchFile(file, this.#changed);
    for (const file of files.difference(this.#watched))
      watchFile(file, { interval: lookMs, persistent: false }, this.#changed);
    this.#watched = files;
  }

  close(): void {
    if (this.#path === undefined) return;
    this.watch(new Set());
    unwatchFile(this.#path, this.#changed);
  }

  readonly #changed = () => void this.run();

  async #reload(): Promise<void> {
    if (this.#path === undefined) return this.#logger.log('warn', 'there is no configuration file to read again');
    try {
      const next = await loadConfig(this.#path);
      await this.#parts.prepare(next);
      await this.#take(next);
    } catch (error) {
      this.#refuse(error);
    }
  }

  async #take(next: RealmConfig): Promise<void> {
    const { config } = this.#live;
    const fixed = differences(fixedParts(config), fixedParts(next));
    const changed = differences(changeableParts(config), changeableParts(next));
    this.#live.config = { ...next, ...fixedFields(config) };
    changed.push(...this.#parts.apply(next));
    for (const path of fixed) this.#logger.log('warn', 'configuration: changes with the next start only', { path });
    this.#logger.log('info', 'configuration read again', { changed: changed.join(', ') || 'nothing' });
    if (changed.length === 0) return;
    // The change is made, with or without a store that answers.
    await this.#parts.note({ changed, restart: fixed }).catch(error => {
      this.#logger.log('warn', 'not noted in the audit log', { problem: asRealmError(error).message });
    });
  }

  #refuse(error: unknown): void {
    const { message, param } = asRealmError(error);
    const mistakes = mistakesOf(error) ?? [{ path: param ?? '', message }];
    for (const mistake of mistakes)
      this.#logger.log('error', 'configuration: mistake', { path: mistake.path, problem: issueText(mistake) });
    this.#logger.log('error', 'configuration not taken over: the one before it stays', { mistakes: mistakes.length });
  }
}

/** What a server holds on to from its start: the port is bound, the models are loaded, the store is open. */
function fixedFields({ host, port, store, redis, webhooks, programs, sessions, responses }: RealmConfig) {
  return { host, port, store, redis, webhooks, programs, sessions, responses };
}

type Parts = Readonly<Record<string, unknown>>;

function fixedParts(config: RealmConfig): Parts {
  const server = Object.entries(fixedFields(config)).map(([key, value]) => [`server.${key}`, value]);
  const models = config.models?.map(({ id, ...model }) => [`models[${id}]`, fixedOf(model)]) ?? [];
  const keepAlive = ['server.keep_alive_ms', config.http.keepAliveMs];
  return Object.fromEntries([...server, keepAlive, ...models]);
}

function fixedOf({ sampling: _, price: __, ...model }: Omit<ModelEntry, 'id'>): object {
  return model;
}

function changeableParts({
  limits,
  http,
  adminKeys,
  metrics,
  folders,
  pipelines,
  tenants,
  models,
  tools,
}: RealmConfig): Parts {
  return {
    'server.limits': limits,
    'server.origins': http.origins,
    'server.heartbeat_ms': http.heartbeatMs,
    'server.admin_keys': adminKeys,
    'server.metrics': metrics,
    'server.folders': folders,
    pipelines,
    ...Object.fromEntries(tools.map(({ name, ...tool }) => [`tools[${name}]`, tool])),
    ...Object.fromEntries(tenants?.map(({ id, ...tenant }) => [`tenants[${id}]`, tenant]) ?? []),
    ...Object.fromEntries(
      models?.flatMap(({ id, sampling, price }) => [
        [`models[${id}].sampling`, sampling],
        [`models[${id}].price`, price],
      ]) ?? [],
    ),
  };
}

/** The paths whose values are not the same. */
function differences(before: Parts, after: Parts): string[] {
  const paths = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...paths].filter(path => JSON.stringify(before[path]) !== JSON.stringify(after[path]));
}

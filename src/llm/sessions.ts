import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SessionInfo } from '../engine/cache/sessions.ts';
import type { Engine } from '../engine/types.ts';
import { RealmError, systemReason } from '../errors.ts';
import type { SessionLimits } from '../tenancy/config.ts';
import type { Token } from '../tokenizer/types.ts';
import { openSessionFolder, sessionFile, sessionIn, tenantFolder } from './session-folder.ts';

/** A saved session as its tenant sees it. */
export interface SavedSession {
  readonly id: string;
  readonly object: 'session';
  readonly bytes: number;
  /** Seconds since 1970. */
  readonly created: number;
}

/** Whose session, on what. */
export interface SessionPlace {
  readonly id: string;
  readonly tenant: string;
  readonly model: { readonly id: string; readonly engine: Pick<Engine, 'saveSession' | 'restoreSession'> };
  readonly adapter?: string | undefined;
}

/** Saved sessions of all tenants. What the system says of their files is for the log: clients get a code. */
export class SessionStore {
  readonly #limits: SessionLimits | undefined;
  #seal: Promise<Uint8Array> | undefined;
  /** The last save of each tenant: limits hold because saves go one after the other. */
  readonly #saving = new Map<string, Promise<unknown>>();

  /** Without limits no sessions are kept. */
  constructor(limits: SessionLimits | undefined) {
    this.#limits = limits;
  }

  /** Throws `invalid_request` where no sessions are kept. */
  checkEnabled(param: string): void {
    this.#require(param);
  }

  /** Throws `session_not_found`, `session_mismatch`, `session_corrupted`, `session_failed`. */
  async restore({ id, tenant, model, adapter }: SessionPlace): Promise<SessionInfo> {
    const { path } = this.#require('session');
    const seal = await this.#open();
    const request = { tenant, adapter, path: sessionFile(path, tenant, id), seal };
    return model.engine.restoreSession(request).catch(error => {
      const { code, message, cause } = failed(error);
      throw new RealmError(code, `session ${id}: ${message}`, { param: 'session', cause });
    });
  }

  /** Throws `session_limit`, `session_failed`. */
  async save(place: SessionPlace, tokens: readonly Token[]): Promise<SessionInfo> {
    const before = this.#saving.get(place.tenant);
    const saving = Promise.resolve(before)
      .catch(() => {})
      .then(() => this.#save(place, tokens));
    this.#saving.set(place.tenant, saving);
    try {
      return await saving;
    } finally {
      if (this.#saving.get(place.tenant) === saving) this.#saving.delete(place.tenant);
    }
  }

  async list(tenant: string): Promise<SavedSession[]> {
    const folder = tenantFolder(this.#require('session').path, tenant);
    await this.#open();
    const files = await readdir(folder).catch(nothingThere([]));
    const sessions = files.flatMap(file => {
      const id = sessionIn(file);
      return id === undefined ? [] : [describe(id, join(folder, file))];
    });
    const found = (await Promise.all(sessions)).filter(session => session !== undefined);
    return found.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Throws `session_not_found`, `session_failed`. */
  async remove(tenant: string, id: string): Promise<void> {
    const { path } = this.#require('session');
    await this.#open();
    await rm(sessionFile(path, tenant, id)).catch(cause => {
      if (cause.code === 'ENOENT') throw new RealmError('session_not_found', `There is no session ${id}`, { cause });
      throw failed(cause);
    });
  }

  async #save({ id, tenant, model, adapter }: SessionPlace, tokens: readonly Token[]): Promise<SessionInfo> {
    const { path, perTenant, bytesPerTenant } = this.#require('save_session');
    const seal = await this.#open();
    await mkdir(tenantFolder(path, tenant), { recursive: true, mode: 0o700 }).catch(cause => {
      throw failed(cause);
    });
    const others = (await this.list(tenant)).filter(session => session.id !== id);
    const bytes = others.reduce((sum, session) => sum + session.bytes, 0);
    if (others.length >= perTenant) throw limit(`${others.length} sessions are saved already`);
    if (bytes >= bytesPerTenant) throw limit(`the saved sessions have ${bytes} bytes of ${bytesPerTenant}`);
    const file = sessionFile(path, tenant, id);
    const info = await model.engine.saveSession({ tenant, adapter, path: file, seal }, tokens);
    if (bytes + (info.bytes ?? 0) <= bytesPerTenant) return info;
    await rm(file, { force: true });
    throw limit(`with ${info.bytes} bytes more the saved sessions would have more than ${bytesPerTenant}`);
  }

  #require(param: string): SessionLimits {
    if (this.#limits) return this.#limits;
    const message = `${param}: this server keeps no sessions; name a folder for them in server.sessions of realm.yaml`;
    throw new RealmError('invalid_request', message, { param });
  }

  /** The key of the seals; the folder is ready then. */
  #open(): Promise<Uint8Array> {
    this.#seal ??= openSessionFolder(this.#require('session').path).catch(cause => {
      this.#seal = undefined;
      throw failed(cause);
    });
    return this.#seal;
  }
}

/** Gone meanwhile: undefined. */
async function describe(id: string, file: string): Promise<SavedSession | undefined> {
  const found = await stat(file).catch(nothingThere(undefined));
  return found && { id, object: 'session', bytes: found.size, created: Math.floor(found.mtimeMs / 1000) };
}

/** A Realm error as it is; all others become `session_failed`, without their own words. */
function failed(cause: unknown): RealmError {
  if (cause instanceof RealmError && cause.code !== 'storage_failed') return cause;
  const reason = cause instanceof RealmError ? cause.message : (systemReason(cause) ?? 'the server’s log says why');
  return new RealmError('session_failed', `the folder of the sessions cannot be used: ${reason}`, {
    cause: cause instanceof RealmError ? cause.cause : cause,
  });
}

function nothingThere<T>(instead: T): (error: NodeJS.ErrnoException) => T {
  return error => {
    if (error.code === 'ENOENT') return instead;
    throw failed(error);
  };
}

function limit(problem: string): RealmError {
  return new RealmError('session_limit', `${problem}: delete one first`, { param: 'save_session' });
}

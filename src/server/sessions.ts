import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SessionInfo } from '../engine/sessions.ts';
import { RealmError } from '../errors.ts';
import type { SessionLimits } from '../tenancy/config.ts';
import type { Token } from '../tokenizer/types.ts';
import type { LoadedModel } from './services.ts';

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
  readonly model: LoadedModel;
  readonly adapter?: string;
}

const ending = '.session';

/** Saved sessions in a folder for each tenant. Names are checked where requests are: they are file names here. */
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

  /** Throws `session_not_found`, `session_mismatch`, `session_corrupted`. */
  async restore({ id, tenant, model, adapter }: SessionPlace): Promise<SessionInfo> {
    const { path } = this.#require('session');
    const request = { tenant, adapter, path: join(path, tenant, id + ending), seal: await this.#key() };
    return model.engine.restoreSession(request).catch((cause: RealmError) => {
      throw new RealmError(cause.code, `session ${id}: ${cause.message}`, { param: 'session', cause });
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
    const folder = join(this.#require('session').path, tenant);
    const names = (await readdir(folder).catch(() => [])).filter(name => name.endsWith(ending)).sort();
    return Promise.all(
      names.map(async name => {
        const { size, mtimeMs } = await stat(join(folder, name));
        const id = name.slice(0, -ending.length);
        return { id, object: 'session' as const, bytes: size, created: Math.floor(mtimeMs / 1000) };
      }),
    );
  }

  /** Throws `session_not_found`. */
  async remove(tenant: string, id: string): Promise<void> {
    await rm(join(this.#require('session').path, tenant, id + ending)).catch(cause => {
      throw new RealmError('session_not_found', `There is no session ${id}`, { cause });
    });
  }

  async #save({ id, tenant, model, adapter }: SessionPlace, tokens: readonly Token[]): Promise<SessionInfo> {
    const { path, perTenant, bytesPerTenant } = this.#require('save_session');
    const folder = join(path, tenant);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const others = (await this.list(tenant)).filter(session => session.id !== id);
    const bytes = others.reduce((sum, session) => sum + session.bytes, 0);
    if (others.length >= perTenant) throw limit(`${others.length} sessions are saved already`);
    if (bytes >= bytesPerTenant) throw limit(`the saved sessions have ${bytes} bytes of ${bytesPerTenant}`);
    const file = join(folder, id + ending);
    const info = await model.engine.saveSession({ tenant, adapter, path: file, seal: await this.#key() }, tokens);
    if (bytes + (info.bytes ?? 0) <= bytesPerTenant) return info;
    await rm(file, { force: true });
    throw limit(`with ${info.bytes} bytes more the saved sessions would have more than ${bytesPerTenant}`);
  }

  #require(param: string): SessionLimits {
    if (this.#limits) return this.#limits;
    const message = `${param}: this server keeps no sessions; name a folder for them in server.sessions of realm.yaml`;
    throw new RealmError('invalid_request', message, { param });
  }

  /** Made once, and kept beside the sessions: files that were changed, or come from elsewhere, do not fit it. */
  #key(): Promise<Uint8Array> {
    this.#seal ??= readKey(this.#require('session').path).catch(cause => {
      this.#seal = undefined;
      throw new RealmError('session_failed', `the key of the sessions cannot be read: ${cause.message}`, { cause });
    });
    return this.#seal;
  }
}

async function readKey(folder: string): Promise<Uint8Array> {
  const path = join(folder, 'key');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Another server on the same folder may have made it first: then that one counts.
  await writeFile(path, randomBytes(32), { flag: 'wx', mode: 0o600 }).catch(error => {
    if (error.code !== 'EEXIST') throw error;
  });
  return readFile(path);
}

function limit(problem: string): RealmError {
  return new RealmError('session_limit', `${problem}: delete one first`, { param: 'save_session' });
}

import { RealmError } from '../errors.ts';
import type { UsageReport } from '../metering/reports.ts';
import type { ProgramAnswer, ProgramOperator, ProgramWithVersions } from '../programs/operator.ts';
import { AuditChain, type AuditEntry, type AuditProof } from '../tenancy/audit.ts';
import type { KeyAnswer, TenantAnswer } from '../tenancy/operator.ts';
import type { CreateKey, CreateTenant, UpdateKey, UpdateTenant } from '../tenancy/operator-schema.ts';
import type { OpenOperator } from './local-operator.ts';
import { refusal } from './refusal.ts';

type Made = KeyAnswer & { readonly key: string };

const page = 1000;

/** Asks a server that runs. */
export class RemoteOperator implements OpenOperator {
  readonly #base: string;
  readonly #key: string | undefined;

  constructor(url: string, key: string | undefined) {
    const base = URL.parse(url);
    if (base === null) throw new RealmError('usage', `--url: ${url} is no URL.`, { param: 'url' });
    this.#base = `${base.href.replace(/\/$/, '')}/admin/v1`;
    this.#key = key;
  }

  tenants = async () => (await this.#ask<{ data: TenantAnswer[] }>('GET', '/tenants')).data;
  tenant = (id: string) => this.#ask<TenantAnswer>('GET', tenantPath(id));
  createTenant = (body: CreateTenant) => this.#ask<TenantAnswer>('POST', '/tenants', body);
  updateTenant = (id: string, body: UpdateTenant) => this.#ask<TenantAnswer>('PATCH', tenantPath(id), body);
  deleteTenant = (id: string, cancel: boolean) => this.#ask<void>('DELETE', `${tenantPath(id)}?cancel=${cancel}`);
  keys = async (tenant: string) => (await this.#ask<{ data: KeyAnswer[] }>('GET', keyPath(tenant))).data;
  createKey = (tenant: string, body: CreateKey) => this.#ask<Made>('POST', keyPath(tenant), keyBody(body));
  updateKey = (tenant: string, id: string, body: UpdateKey) =>
    this.#ask<KeyAnswer>('PATCH', keyPath(tenant, id), keyBody(body));
  rotateKey = (tenant: string, id: string, overlap_seconds: number) =>
    this.#ask<Made>('POST', `${keyPath(tenant, id)}/rotate`, { overlap_seconds });
  revokeKey = (tenant: string, id: string, cancel: boolean) =>
    this.#ask<KeyAnswer>('DELETE', `${keyPath(tenant, id)}?cancel=${cancel}`);
  audit = async (after: number, limit: number) =>
    (await this.#ask<{ data: AuditEntry[] }>('GET', `/audit?after=${after}&limit=${limit}`)).data;

  usage = (query: Readonly<Record<string, string>>) =>
    this.#ask<UsageReport>('GET', `/usage?${new URLSearchParams(query)}`);

  readonly uploaded: ProgramOperator = {
    programs: async tenant => (await this.#ask<{ data: ProgramAnswer[] }>('GET', programPath(tenant))).data,
    program: (tenant, name) => this.#ask<ProgramWithVersions>('GET', programPath(tenant, name)),
    pushProgram: (tenant, name, { module, note }) =>
      this.#ask<ProgramWithVersions>('PUT', programPath(tenant, name), {
        module: Buffer.from(module).toString('base64'),
        note,
      }),
    rollbackProgram: (tenant, name, version) =>
      this.#ask<ProgramWithVersions>('POST', programPath(tenant, name, '/rollback'), { version }),
    deleteProgram: (tenant, name, version) =>
      this.#ask<void>('DELETE', programPath(tenant, name, '', version === undefined ? {} : { version: `${version}` })),
  };

  /** Of what the server shows. */
  async verifyAudit(): Promise<AuditProof> {
    const chain = new AuditChain();
    for (let rows = await this.audit(0, page); rows.length > 0; rows = await this.audit(chain.entries, page)) {
      for (const row of rows) chain.add({ ...row, at: Date.parse(row.at), detail: JSON.stringify(row.detail) });
    }
    return chain;
  }

  async close(): Promise<void> {}

  async #ask<T>(method: string, path: string, body?: object): Promise<T> {
    const headers = {
      'content-type': 'application/json',
      ...(this.#key !== undefined && { authorization: `Bearer ${this.#key}` }),
    };
    const request = { method, headers, ...(body && { body: JSON.stringify(body) }) };
    const answer = await fetch(this.#base + path, request).catch(cause => {
      throw new RealmError('usage', `${this.#base} cannot be reached: ${cause.cause?.code ?? cause.message}.`, {
        cause,
      });
    });
    const said = await answer.json().catch(() => ({}));
    if (answer.ok) return said as T;
    throw refusal(said, `the server answered ${answer.status}`);
  }
}

/** Without a tenant: of the operator's own. */
function programPath(tenant: string | null, name?: string, then = '', query: Record<string, string> = {}): string {
  const asked = new URLSearchParams({ ...(tenant !== null && { tenant }), ...query }).toString();
  const path = `/programs${name === undefined ? '' : `/${encodeURIComponent(name)}`}${then}`;
  return asked === '' ? path : `${path}?${asked}`;
}

const tenantPath = (id: string): string => `/tenants/${encodeURIComponent(id)}`;
const keyPath = (tenant: string, id?: string): string =>
  `${tenantPath(tenant)}/keys${id === undefined ? '' : `/${encodeURIComponent(id)}`}`;

/** Times are milliseconds once they have been read. */
function keyBody({ expires_at, ...rest }: CreateKey | UpdateKey): object {
  return { ...rest, ...(expires_at && { expires_at: new Date(expires_at).toISOString() }) };
}

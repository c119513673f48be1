import { RealmError } from '../errors.ts';
import { type UsageReport, UsageReports } from '../metering/reports.ts';
import { usageQuerySchema } from '../metering/usage-query.ts';
import { openStore } from '../store/open.ts';
import { AuditLog, type AuditProof } from '../tenancy/audit.ts';
import { loadConfig } from '../tenancy/config.ts';
import { type Operator, StoreOperator } from '../tenancy/operator.ts';
import { TenantStore } from '../tenancy/tenant-store.ts';
import { validated } from './validated.ts';

export interface OpenOperator extends Operator {
  verifyAudit(): Promise<AuditProof>;
  /** `query`: the parameters of `GET /admin/v1/usage`. */
  usage(query: Readonly<Record<string, string>>): Promise<UsageReport>;
  close(): Promise<void>;
}

/** On the store that a configuration or an option names. A server that uses it hears of changes by itself. */
export async function openLocal(configPath: string | undefined, place: string | undefined): Promise<OpenOperator> {
  const config = configPath === undefined ? undefined : await loadConfig(configPath);
  const chosen = place ?? config?.store;
  if (chosen === undefined || chosen === 'memory')
    throw new RealmError('usage', 'A store in memory is in the server alone: ask the server with --url.');
  const store = await openStore(chosen);
  const audit = new AuditLog(store);
  const file = config?.tenants ?? [];
  const operator = new StoreOperator({ actor: 'cli', store: new TenantStore(store, audit), audit, file });
  const usage = async (query: object) => new UsageReports(store).of(await validated(usageQuerySchema, query));
  return Object.assign(operator, { usage, verifyAudit: () => audit.verify(), close: () => store.close() });
}

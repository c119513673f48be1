import { RealmError } from '../errors.ts';
import { type UsageReport, UsageReports } from '../metering/reports.ts';
import { usageQuerySchema } from '../metering/usage-query.ts';
import { isBuiltin } from '../programs/library.ts';
import { type ProgramOperator, StoreProgramOperator } from '../programs/operator.ts';
import { ProgramDirectory } from '../programs/program-directory.ts';
import { ProgramStore } from '../programs/program-store.ts';
import { openStore } from '../store/open.ts';
import { AuditLog, type AuditProof } from '../tenancy/audit.ts';
import { loadConfig } from '../tenancy/config.ts';
import { type Operator, type OperatorParts, StoreOperator } from '../tenancy/operator.ts';
import { TenantStore } from '../tenancy/tenant-store.ts';
import { commandSandbox } from './program-sandbox.ts';
import { validated } from './validated.ts';

export interface OpenOperator extends Operator {
  readonly uploaded: ProgramOperator;
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
  const programs = new ProgramStore(store, audit);
  const checkProgram = checkIn(programs);
  const operator = new StoreOperator({ actor: 'cli', store: new TenantStore(store, audit), audit, file, checkProgram });
  // What is not used starts nothing.
  const sandbox = commandSandbox();
  const tenant = (id: string) => operator.tenant(id);
  const uploaded = new StoreProgramOperator({ actor: 'cli', store: programs, sandbox, tenant });
  const close = async () => {
    await sandbox.close();
    await store.close();
  };
  const usage = async (query: object) => new UsageReports(store).of(await validated(usageQuerySchema, query));
  return Object.assign(operator, { usage, uploaded, verifyAudit: () => audit.verify(), close });
}

function checkIn(programs: ProgramStore): OperatorParts['checkProgram'] {
  return async (tenant, ref) => {
    if (isBuiltin(ref)) return;
    const directory = new ProgramDirectory();
    directory.apply(await programs.changedAfter(0));
    directory.known(tenant, ref);
  };
}

import { RealmError } from '../../errors.ts';
import type { RealmConfig } from '../../tenancy/config.ts';
import { type Issue, issueText } from '../../tenancy/issues.ts';
import type { Services } from '../services.ts';
import type { ServedPipeline } from './book.ts';
import { loadPipelines } from './load.ts';

type Needed = Pick<Services, 'models' | 'adapters' | 'anyModelName' | 'sandbox' | 'pipelines'>;

/** The pipelines of a configuration, for the models, tools and programs that are there now. Throws what is wrong with any. */
export async function preparePipelines(
  { models, adapters, anyModelName, sandbox, pipelines }: Needed,
  config: Pick<RealmConfig, 'pipelines' | 'tenants' | 'tools'>,
): Promise<ReadonlyMap<string, ServedPipeline>> {
  const there = {
    models: anyModelName ? undefined : modelNames(models, adapters),
    tools: config.tools.map(({ name }) => name),
    programs: pipelines.uploads ? undefined : [],
    loadProgram: (name: string, bytes: Uint8Array) => sandbox.load(name, bytes),
  };
  const served = await loadPipelines(config.pipelines, there, pipelines.all);
  const unknown = [...unknownNames(config, served), ...unknownTools(config, served)];
  if (unknown.length === 0) return served;
  throw new RealmError('config_invalid', unknown.map(issueText).join('; '), {
    param: unknown[0]?.path,
    cause: { issues: unknown },
  });
}

function unknownNames(
  { tenants = [] }: Pick<RealmConfig, 'tenants'>,
  served: ReadonlyMap<string, ServedPipeline>,
): Issue[] {
  return tenants.flatMap(({ pipelines = [] }, i) =>
    pipelines.flatMap((name, k) =>
      served.has(name) ? [] : [{ path: `tenants[${i}].pipelines[${k}]`, message: `there is no pipeline ${name}` }],
    ),
  );
}

/** Tools that are pipelines which are not there. */
function unknownTools({ tools }: Pick<RealmConfig, 'tools'>, served: ReadonlyMap<string, ServedPipeline>): Issue[] {
  return tools.flatMap((tool, i) =>
    'pipeline' in tool && !served.has(tool.pipeline)
      ? [{ path: `tools[${i}].pipeline`, message: `there is no pipeline ${tool.pipeline}` }]
      : [],
  );
}

function modelNames(models: Needed['models'], adapters: Needed['adapters']): string[] {
  const own = models.all.flatMap(({ id, settings }) => [id, ...settings.aliases]);
  return [...own, ...adapters.names];
}

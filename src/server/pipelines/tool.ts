import { RealmError } from '../../errors.ts';
import type { Services } from '../services.ts';
import type { ToolCall } from '../tools/types.ts';
import { beginRun } from './run.ts';

/** Pipelines that call each other as tools. */
const mostDepth = 4;

/** Runs the pipeline that a tool stands for: the tool's permission is the tenant's. The part's usage is the run's. */
export async function runAsTool(
  services: Services,
  { exchange, tenant, name, input, depth }: ToolCall,
): Promise<unknown> {
  if (depth >= mostDepth)
    throw new RealmError('tool_failed', `Pipelines call each other as tools at most ${mostDepth} deep`);
  const served = services.pipelines.named(name);
  const { events } = beginRun(services, exchange, { tenant, served, input, depth: depth + 1 });
  let output: unknown = null;
  for await (const event of events) if (event.kind === 'output') output = event.output;
  return output;
}

import { randomBytes } from 'node:crypto';
import { RealmError } from '../../errors.ts';
import { addUsage } from '../../llm/usage.ts';
import { ExchangePart } from '../exchange-part.ts';
import type { Services } from '../services.ts';
import type { ToolCall } from '../tools/types.ts';
import { beginRun } from './run.ts';

/** Pipelines that call each other as tools. */
const mostDepth = 4;

/** Runs the pipeline that a tool stands for: the tool's permission is the tenant's. What it uses counts for whoever called. */
export async function runAsTool(
  services: Services,
  { exchange, tenant, name, input, signal, depth }: ToolCall,
): Promise<unknown> {
  if (depth >= mostDepth)
    throw new RealmError('tool_failed', `Pipelines call each other as tools at most ${mostDepth} deep`);
  const served = services.pipelines.named(name);
  // A name of its own: the caller may call again, and again at once.
  const id = `${exchange.id}.${randomBytes(3).toString('hex')}`;
  const part = new ExchangePart(exchange, { id, signal, span: exchange.span });
  const before = exchange.usage;
  exchange.usage = () => addUsage(before(), part.usage());
  try {
    const { events } = beginRun(services, part, { tenant, served, input, depth: depth + 1 });
    let output: unknown = null;
    for await (const event of events) if (event.kind === 'output') output = event.output;
    return output;
  } finally {
    part.end();
  }
}

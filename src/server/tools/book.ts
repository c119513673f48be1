import { asRealmError, RealmError } from '../../errors.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { ToolMetrics } from '../../telemetry/tool-metrics.ts';
import type { ToolConfig } from '../../tenancy/config.ts';
import type { Tenant } from '../../tenancy/tenants.ts';
import { inputProblem } from '../../tenancy/tool-input.ts';
import { callHttpTool } from './http-tool.ts';
import type { PipelineTool, ToolCall } from './types.ts';

export interface ToolBookOptions {
  /** As they are now. */
  readonly tools: () => readonly ToolConfig[];
  readonly logger: Logger;
  readonly metrics: ToolMetrics;
  /** Absent: there are no pipelines. */
  readonly pipeline?: PipelineTool | undefined;
}

/** The operator's tools: what programs and pipelines may ask of the world outside. A tenant has those that it is allowed. */
export class ToolBook {
  readonly #options: ToolBookOptions;

  constructor(options: ToolBookOptions) {
    this.#options = options;
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /** Those that the tenant may call. */
  of(tenant: Tenant): readonly ToolConfig[] {
    return this.#options.tools().filter(({ name }) => tenant.tools?.includes(name));
  }

  /** Throws `tool_not_found`, `permission_denied`, `invalid_request` (its input), `tool_failed`. */
  async call(call: ToolCall): Promise<unknown> {
    const { logger, metrics } = this.#options;
    const { name, tenant, exchange } = call;
    const tool = this.#allowed(tenant, name);
    const started = performance.now();
    let code: string | undefined;
    try {
      checkInput(tool, call.input);
      return await this.#run(tool, call);
    } catch (error) {
      ({ code } = asRealmError(error));
      throw error;
    } finally {
      const ms = performance.now() - started;
      metrics.called({ tool: name, code, ms });
      logger.log(code === 'tool_failed' ? 'warn' : 'info', 'tool', {
        request_id: exchange.id,
        tenant: tenant.id,
        tool: name,
        code,
        ms: Math.round(ms),
      });
    }
  }

  #run(tool: ToolConfig, call: ToolCall): Promise<unknown> {
    if (!('pipeline' in tool)) return callHttpTool(tool, call);
    const { pipeline } = this.#options;
    if (pipeline) return pipeline({ ...call, name: tool.pipeline });
    throw new RealmError('tool_failed', `The tool ${call.name} is a pipeline, and this server has none`);
  }

  #allowed(tenant: Tenant, name: string): ToolConfig {
    const tool = this.#find(name);
    if (!tool) throw new RealmError('tool_not_found', `There is no tool ${JSON.stringify(name)}${this.#known(tenant)}`);
    if (tenant.tools?.includes(name)) return tool;
    const message = `The tool ${name} is not among those of the tenant; its operator can add it to tools of realm.yaml`;
    throw new RealmError('permission_denied', message);
  }

  #known(tenant: Tenant): string {
    const names = this.of(tenant).map(({ name }) => name);
    return names.length === 0 ? '' : `; there are ${names.join(', ')}`;
  }

  #find(name: string): ToolConfig | undefined {
    return this.#options.tools().find(tool => tool.name === name);
  }
}

function checkInput(tool: ToolConfig, input: unknown): void {
  const problem = 'input' in tool && tool.input ? inputProblem(tool.input, input) : undefined;
  if (problem === undefined) return;
  throw new RealmError('invalid_request', `The tool ${tool.name} takes no such input: ${problem}`, { param: 'input' });
}

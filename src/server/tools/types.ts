import type { Tenant } from '../../tenancy/tenants.ts';
import type { Asking } from '../exchange.ts';

/** One call of a tool, by a program or by a step of a pipeline. */
export interface ToolCall {
  /** Of the request that it is a part of. */
  readonly exchange: Asking;
  readonly tenant: Tenant;
  readonly name: string;
  readonly input: unknown;
  readonly signal: AbortSignal;
  /** Pipelines that called each other as tools until now. */
  readonly depth: number;
}

/** Runs the pipeline that a tool stands for, which is the call's `name`. */
export type PipelineTool = (call: ToolCall) => Promise<unknown>;

import { RealmError } from '../../errors.ts';
import type { Pipeline } from '../../pipelines/types.ts';
import type { Program } from '../../sandbox/types.ts';
import { mayUsePipeline, type Tenant } from '../../tenancy/tenants.ts';
import type { Asking } from '../exchange.ts';
import { RunBook } from './run-book.ts';

/** A pipeline of `realm.yaml`, with what was loaded for it. */
export interface ServedPipeline {
  readonly pipeline: Pipeline;
  /** Its document, by which a change is seen. */
  readonly text: string;
  /** Its programs that are files beside it, by the names that it has for them. */
  readonly programs: ReadonlyMap<string, Program>;
}

/** A step that calls a tool. */
export interface ToolStep {
  readonly exchange: Asking;
  readonly tenant: Tenant;
  readonly name: string;
  readonly input: unknown;
  readonly signal: AbortSignal;
  /** Pipelines that this one was called by, as their tool. */
  readonly depth: number;
}

export interface PipelineBookOptions {
  /** Throws `tool_not_found`, `tool_failed`. */
  readonly callTool?: (step: ToolStep) => Promise<unknown>;
  /** One that was uploaded. Throws `program_not_found`. */
  readonly programNamed?: (tenant: Tenant, name: string) => Promise<Program>;
}

/** The pipelines that are served, and their last runs. */
export class PipelineBook {
  readonly runs = new RunBook();
  readonly callTool: NonNullable<PipelineBookOptions['callTool']>;
  readonly programNamed: NonNullable<PipelineBookOptions['programNamed']>;
  #served: ReadonlyMap<string, ServedPipeline> = new Map();

  constructor({ callTool = noTool, programNamed = noProgram }: PipelineBookOptions = {}) {
    this.callTool = callTool;
    this.programNamed = programNamed;
  }

  /** In the place of all before; gives the names of those that are new, changed or gone. Runs go on with what they began with. */
  set(served: ReadonlyMap<string, ServedPipeline>): string[] {
    const names = new Set([...this.#served.keys(), ...served.keys()]);
    const changed = [...names].filter(name => this.#served.get(name)?.text !== served.get(name)?.text);
    this.#served = served;
    return changed;
  }

  get names(): string[] {
    return [...this.#served.keys()];
  }

  visible(tenant: Tenant): ServedPipeline[] {
    return [...this.#served.values()].filter(({ pipeline }) => mayUsePipeline(tenant, pipeline.name));
  }

  /** For a tool, which has its own permissions. Throws `tool_failed`. */
  named(name: string): ServedPipeline {
    const found = this.#served.get(name);
    if (found) return found;
    throw new RealmError('tool_failed', `The tool's pipeline ${JSON.stringify(name)} is not there`);
  }

  /** Throws `pipeline_not_found`. */
  find(tenant: Tenant, name: string): ServedPipeline {
    const found = this.#served.get(name);
    if (found && mayUsePipeline(tenant, name)) return found;
    const known = this.visible(tenant).map(({ pipeline }) => pipeline.name);
    const there = known.length === 0 ? 'this server has none for you' : `there are ${known.join(', ')}`;
    throw new RealmError('pipeline_not_found', `There is no pipeline ${JSON.stringify(name)}; ${there}`);
  }
}

async function noTool({ name }: ToolStep): Promise<never> {
  throw new RealmError('tool_not_found', `There is no tool ${JSON.stringify(name)}`);
}

async function noProgram(_tenant: Tenant, name: string): Promise<never> {
  throw new RealmError('program_not_found', `There is no program ${JSON.stringify(name)}`);
}

import { RealmError } from '../../errors.ts';
import type { Pipeline } from '../../pipelines/types.ts';
import type { Program } from '../../sandbox/types.ts';
import { mayUsePipeline, type Tenant } from '../../tenancy/tenants.ts';
import type { ToolCall } from '../tools/types.ts';
import { RunBook } from './run-book.ts';

/** Before its name where a model's is asked for. */
export const pipelinePrefix = 'pipeline/';

/** A pipeline of `realm.yaml`, with what was loaded for it. */
export interface ServedPipeline {
  readonly pipeline: Pipeline;
  /** Absolute path. */
  readonly file: string;
  /** Its document, by which a change is seen. */
  readonly text: string;
  /** When the document was last written; seconds since 1970. */
  readonly created: number;
  /** Its programs that are files beside it, by the names that it has for them. */
  readonly programs: ReadonlyMap<string, Program>;
}

/** What pipelines ask for that is not theirs. */
export interface PipelineBookOptions {
  readonly tools?: {
    /** Throws `tool_not_found`, `tool_failed`. */
    call(call: ToolCall): Promise<unknown>;
  };
  /** Those that were uploaded. */
  readonly programs?: {
    /** Throws `program_not_found`. */
    named(tenant: Tenant, name: string): Promise<Program> | Program;
  };
}

/** The pipelines that are served, and their last runs. */
export class PipelineBook {
  readonly runs = new RunBook();
  readonly #options: PipelineBookOptions;
  #served: ReadonlyMap<string, ServedPipeline> = new Map();

  constructor(options: PipelineBookOptions = {}) {
    this.#options = options;
  }

  /** In the place of all before; gives the names of those that are new, changed or gone. Runs go on with what they began with. */
  set(served: ReadonlyMap<string, ServedPipeline>): string[] {
    const names = new Set([...this.#served.keys(), ...served.keys()]);
    const changed = [...names].filter(name => identity(this.#served.get(name)) !== identity(served.get(name)));
    this.#served = served;
    return changed;
  }

  get all(): readonly ServedPipeline[] {
    return [...this.#served.values()];
  }

  /** Whether there may be programs beside those that are files: tenants' come and go, so nobody asks for them earlier. */
  get uploads(): boolean {
    return this.#options.programs !== undefined;
  }

  async callTool(call: ToolCall): Promise<unknown> {
    const { tools } = this.#options;
    if (tools) return tools.call(call);
    throw new RealmError('tool_not_found', `There is no tool ${JSON.stringify(call.name)}`);
  }

  async programNamed(tenant: Tenant, name: string): Promise<Program> {
    const { programs } = this.#options;
    if (programs) return programs.named(tenant, name);
    throw new RealmError('program_not_found', `There is no program ${JSON.stringify(name)}`);
  }

  visible(tenant: Tenant): ServedPipeline[] {
    return this.all.filter(({ pipeline }) => mayUsePipeline(tenant, pipeline.name));
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

const identity = (served: ServedPipeline | undefined): string =>
  JSON.stringify([served?.text, [...(served?.programs ?? [])].map(([name, { digest }]) => [name, digest])]);

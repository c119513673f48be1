import type { EngineUsage } from '../../engine/request.ts';
import { asRealmError, RealmError } from '../../errors.ts';
import type { ModelRequest, PipelineHost, StepCall } from '../../pipelines/types.ts';
import type { Program } from '../../sandbox/types.ts';
import { mayUseModel, type Tenant } from '../../tenancy/tenants.ts';
import { answer } from '../answer.ts';
import { errorBody, reportError } from '../errors.ts';
import type { Asking } from '../exchange.ts';
import { ExchangePart } from '../exchange-part.ts';
import type { GenerationBody } from '../fields.ts';
import { createJob } from '../job.ts';
import type { Services } from '../services.ts';
import type { ServedPipeline } from './book.ts';

/** For whom a pipeline runs. */
export interface RunContext {
  readonly services: Services;
  readonly exchange: Asking;
  readonly tenant: Tenant;
  readonly served: ServedPipeline;
  /** Hears what each call of a step's has used. */
  readonly charge: (step: string, usage: EngineUsage) => void;
}

/**
 * Runs the steps of one run: each is a part of its request, and goes the way of a chat that its tenant asks for. A step
 * that calls a program has the program in the place of the tenant's own.
 */
export class ServerPipelineHost implements PipelineHost {
  readonly #context: RunContext;
  #parts = 0;

  constructor(context: RunContext) {
    this.#context = context;
  }

  async generate(request: ModelRequest, call: StepCall): Promise<string> {
    return this.#answer(call, async part => {
      const { form, value } = bodyOf(request);
      const body = await this.#read(form, value, part.signal);
      return { ...body, settings: { ...body.settings, constraint: request.constraint } };
    });
  }

  async runProgram(name: string, input: unknown, call: StepCall): Promise<string> {
    const { services, tenant, served } = this.#context;
    const program = served.programs.get(name) ?? (await services.pipelines.programNamed(tenant, name));
    // It names what it asks itself; one that asks none is given the first that there is.
    const model = services.models.all.find(({ id }) => mayUseModel(tenant, id))?.id;
    const value = { model, prompt: JSON.stringify(input), max_tokens: -1 };
    return this.#answer(
      call,
      async part => ({ ...(await this.#read('completion', value, part.signal)), called: true }),
      program,
    );
  }

  callTool(name: string, input: unknown, call: StepCall): Promise<unknown> {
    const { services, tenant } = this.#context;
    const { depth } = call;
    return this.#part(call, part =>
      services.pipelines.callTool({ exchange: part, tenant, name, input, signal: part.signal, depth }),
    );
  }

  /** As a client's body is read: the same bounds and words, and where it is long in the thread for long texts. */
  #read(form: 'chat' | 'completion', value: object, signal: AbortSignal): Promise<GenerationBody> {
    const { services, tenant } = this.#context;
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    return services.text.run(
      'body',
      { owner: tenant, signal },
      { form, bytes, limits: services.limits },
    ) as Promise<GenerationBody>;
  }

  #answer(
    call: StepCall,
    bodyFor: (part: ExchangePart) => Promise<GenerationBody>,
    program?: Program,
  ): Promise<string> {
    const { services, tenant } = this.#context;
    const own = program ? withProgram(services, program) : services;
    return this.#part(call, async part => {
      const job = createJob(own, part, tenant, await bodyFor(part));
      let text = '';
      for await (const event of answer(own, part, job)) {
        if (event.kind !== 'text' || event.content === undefined) continue;
        text += event.content;
        const room = call.onText(event.content);
        if (room) await room;
      }
      return text;
    });
  }

  /** What a step does, with a span and models of its own; what it used is told however it ends. */
  async #part<T>({ step, signal }: StepCall, work: (part: ExchangePart) => Promise<T>): Promise<T> {
    const { services, exchange, charge } = this.#context;
    const span = exchange.span?.child(`step ${step}`, { 'realm.step': step });
    const part = new ExchangePart(exchange, { id: `${exchange.id}.s${this.#parts++}`, signal, span });
    try {
      const result = await work(part);
      span?.end();
      return result;
    } catch (thrown) {
      const error = asRealmError(thrown);
      span?.end(error.code);
      throw error.code === 'internal_error' ? unforeseen(services, exchange, error) : error;
    } finally {
      charge(step, part.usage());
      part.end();
    }
  }
}

/** Its own words stay in the log: a step's failure is told in events, traces and the run's error. */
function unforeseen(services: Services, exchange: Asking, error: RealmError): RealmError {
  reportError(services, exchange, error);
  return new RealmError('internal_error', errorBody(error, exchange.id).error.message);
}

/** The same services, but for whose program answers. */
function withProgram(services: Services, program: Program): Services {
  return Object.create(services, { programOf: { value: () => program } }) as Services;
}

/** The step as a client would send it. */
function bodyOf({ model, messages, completion, settings }: ModelRequest): {
  form: 'chat' | 'completion';
  value: object;
} {
  const { adapter, ...said } = settings;
  const value = { ...said, model: adapter ?? model };
  if (messages) return { form: 'chat', value: { ...value, messages } };
  // Completions end after 16 tokens where nobody says.
  return { form: 'completion', value: { max_tokens: -1, ...value, prompt: completion } };
}

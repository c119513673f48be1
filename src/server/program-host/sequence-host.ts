import { RealmError } from '../../errors.ts';
import { constraintOf } from '../../llm/answer-constraint.ts';
import { withToolFormat } from '../../llm/output-format.ts';
import type { SequenceHost } from '../../sandbox/v2/types.ts';
import type { Token } from '../../tokenizer/types.ts';
import { tracedEmbedding } from '../traced.ts';
import { budget } from './budget.ts';
import { runLog } from './run-log.ts';
import { open, save } from './saved-run.ts';
import { ownedBy, type SequenceRun } from './sequence-run.ts';
import { logits, submit } from './submit.ts';
import { tally } from './trace.ts';

/** What a program of ABI v2 asks of a request's host. */
export function sequenceHost(run: SequenceRun): SequenceHost {
  const { context, models } = run;
  const { services, job, exchange, promptTokens } = context;
  const { tenant, toolFormat } = job;
  return {
    async chatTokens(modelId, document) {
      const { model, signal } = await models.call(modelId);
      const wanted = { tenant, kind: 'chat', prompt: document, toolFormat, signal } as const;
      const { tokens, inReasoning } = await promptTokens.of(services, model, wanted);
      if (inReasoning) run.inReasoning.add(modelId);
      run.trace.inReasoning ??= inReasoning;
      return tokens;
    },
    async textTokens(modelId, text, { special, begin }) {
      const options = { text, parseSpecial: special, addSpecial: begin };
      return services.text.run('encode', await models.call(modelId), options);
    },
    async checkConstraint(modelId, constraint) {
      // Compiled where it is used, and kept there for the tenant: a prompt of one token, and no answer.
      const { model, signal } = await models.call(modelId);
      const id = run.nextId();
      const { bos = 0 as Token } = model.tokenizer;
      const request = { ...ownedBy(run), id, prompt: [bos], sampling: {}, maxTokens: 0, constraint };
      const count = tally(run.trace);
      for await (const event of model.generate(exchange.nextCall(), request, signal))
        if (event.kind === 'end') count(event.usage);
    },
    async toolConstraint(modelId, tools, choice) {
      const call = await models.call(modelId);
      const use = await services.text.run('declaredTools', call, { tools, choice });
      const source =
        use &&
        constraintOf(withToolFormat(call.model.format, toolFormat), use, undefined, run.inReasoning.has(modelId));
      if (source) return source;
      throw noTools();
    },
    submit: (submission, signal, onText) => submit(run, submission, signal, onText),
    logits: (position, signal) => logits(run, position, signal),
    async embed(modelId, text, signal) {
      const { model, ...call } = await models.call(modelId);
      const { parseSpecial } = tenant;
      const { context: most } = model.engine.info;
      const inputs = { inputs: [text], context: most, parseSpecial };
      const [tokens] = await services.text.run('inputs', { model, ...call }, inputs);
      const prompt = Array.from(tokens!) as Token[];
      const request = { ...ownedBy(run), id: run.nextId(), prompt, adapter: models.adapterOf(modelId) };
      const { values, usage } = await tracedEmbedding(context.span, model.id, request, () =>
        model.embed(exchange.nextCall(), request, signal),
      );
      tally(run.trace)(usage);
      return values;
    },
    async parse(modelId, tools, tokens) {
      const input = { tokens, tools, toolFormat, inReasoning: run.inReasoning.has(modelId) };
      return services.text.run('readAnswer', await models.call(modelId), input);
    },
    async findModel(name) {
      const modelId = models.named(name);
      await models.find(modelId);
      return modelId;
    },
    async checkAdapter(modelId, name) {
      models.adapterOf(modelId, name);
    },
    save: (modelId, key, saved, ttlSeconds) => save(run, modelId, key, saved, ttlSeconds),
    open: (modelId, key) => open(run, modelId, key),
    async tool(name, input, signal) {
      const value = parsed(input);
      const answer = await services.tools.call({ exchange, tenant, name, input: value, signal, depth: 0 });
      return JSON.stringify(answer ?? null);
    },
    budget: () => budget(run),
    emit: (kind, text) => run.emitted.add(kind, text),
    log: runLog(run),
  };
}

function parsed(input: string): unknown {
  try {
    return input === '' ? {} : JSON.parse(input);
  } catch (error) {
    throw new RealmError('invalid_request', `A tool's input is JSON: ${(error as Error).message}`);
  }
}

function noTools(): RealmError {
  return new RealmError('invalid_request', "The program's constraint on calls of tools names no tools");
}
